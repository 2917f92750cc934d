/** Our side of the benchmark at Ouro's size: a process that holds one model and measures what it is asked, until its input ends. */
import { createInterface } from 'node:readline';
import { firstNonFinite, scope, setThreads } from '@looprpt/engine';
import { loadReadOnly } from 'looprpt/internal/checkpoint/load-read-only.js';
import { StoredModel } from 'looprpt/internal/checkpoint/stored-model.js';
import { DecoderCore } from 'looprpt/internal/decode/index.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { decoderStretch } from '../decoding.js';
import { type Asked, askedSchema, type Measured, timed } from './protocol.js';

const [folder, threads] = process.argv.slice(2) as [string, string];
setThreads(Number(threads));
const model = loadReadOnly(folder);

for await (const line of createInterface({ input: process.stdin })) {
  const asked = askedSchema.parse(JSON.parse(line));
  process.stdout.write(`${JSON.stringify(await answer(asked))}\n`);
}

async function answer(asked: Asked): Promise<Measured> {
  switch (asked.measure) {
    case 'bandwidth':
      return await timed(() => readAll(folder));
    case 'decode':
      return await decode(model, asked);
    case 'prefill':
      return await prefill(model, asked.prompt);
    default:
      throw asked satisfies never;
  }
}

/** Reads the mapped weights once, for numbers that are none. @returns bytes */
function readAll(dir: string): number {
  using stored = new StoredModel(dir);
  let bytes = 0;
  for (const tensor of stored.tensors.values()) {
    if (tensor.byteLength < 1 << 20) continue;
    scope(() => firstNonFinite(tensor.load()));
    bytes += tensor.byteLength;
  }
  return bytes;
}

async function decode(lm: LoopLM, { batch, prompt, tokens }: Extract<Asked, { measure: 'decode' }>) {
  using core = new DecoderCore(lm, { maxSequences: batch, maxLength: prompt + 2 * tokens + 1, prefillRows: 512 });
  const shape = { batch, prompt, tokens, temperature: 0, staggered: false };
  const before = process.cpuUsage();
  const stretch = decoderStretch(core, lm, shape, { rule: 'loops', loops: lm.config.loops });
  const { user, system } = process.cpuUsage(before);
  return { seconds: stretch.seconds, cpu: (user + system) / 1e6, work: stretch.tokens };
}

async function prefill(lm: LoopLM, prompt: number): Promise<Measured> {
  using core = new DecoderCore(lm, { maxSequences: 1, maxLength: prompt + 2, prefillRows: prompt, prefixReuse: false });
  return await timed(() => {
    const sequence = core.add({ prompt: Array.from({ length: prompt }, (_, t) => (37 * t) % 1000), maxTokens: 1 });
    while (sequence.finish === null) core.pass();
    return prompt;
  });
}
