/** Our side of the benchmark at Ouro's size: a process that holds one model and measures what it is asked, until its input ends. */
import { createInterface } from 'node:readline';
import { firstNonFinite, hasLargePages, LargePages, scope, setThreads, type Tensor } from '@looprpt/engine';
import { loadReadOnly } from 'looprpt/internal/checkpoint/load-read-only.js';
import { StoredModel } from 'looprpt/internal/checkpoint/stored-model.js';
import { DecoderCore } from 'looprpt/internal/decode/index.js';
import { samplingConfig } from 'looprpt/internal/decode/sampling.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { decoderStretch } from '../decoding.js';
import { roundOf } from '../trained.js';
import { type Asked, askedSchema, type Measured, timed } from './protocol.js';

/** What the memory's speed is measured with: far more bytes than the caches hold. */
const READ_BYTES = 800e6;
const READINGS = 5;

const [folder, threads] = process.argv.slice(2) as [string, string];
setThreads(Number(threads));
const model = loadReadOnly(folder, { largePages: hasLargePages() });
let read: Matrix[] | null = null;

for await (const line of createInterface({ input: process.stdin })) {
  const asked = askedSchema.parse(JSON.parse(line));
  process.stdout.write(`${JSON.stringify(await answer(asked))}\n`);
}

async function answer(asked: Asked): Promise<Measured> {
  switch (asked.measure) {
    case 'bandwidth':
      return await bandwidth();
    case 'decode':
      return await decode(model, asked);
    case 'speculate':
      return speculate(model, asked);
    case 'prefill':
      return await prefill(model, asked.prompt);
    default:
      throw asked satisfies never;
  }
}

/** The fastest of a few readings: what slows one down is not the memory. */
async function bandwidth(): Promise<Measured> {
  let best = await timed(readAll);
  for (let reading = 1; reading < READINGS; reading++) {
    const next = await timed(readAll);
    if (next.seconds < best.seconds) best = next;
  }
  return best;
}

/** Reads a part of the weights once, for numbers that are none. @returns bytes */
function readAll(): number {
  read ??= matrices();
  for (const { values } of read) scope(() => firstNonFinite(values));
  return read.reduce((sum, { bytes }) => sum + bytes, 0);
}

interface Matrix {
  values: Tensor;
  bytes: number;
}

/** As many matrices in large pages, where a processor reads its memory at its best. */
function matrices(): Matrix[] {
  using stored = new StoredModel(folder);
  using pages = new LargePages();
  const placed: Matrix[] = [];
  let all = 0;
  for (const tensor of stored.tensors.values()) {
    if (tensor.byteLength < 1 << 20 || all > READ_BYTES) continue;
    placed.push({ values: tensor.visit((values) => pages.place(values).persist()), bytes: tensor.byteLength });
    all += tensor.byteLength;
  }
  return placed;
}

async function decode(lm: LoopLM, { batch, prompt, tokens }: Extract<Asked, { measure: 'decode' }>) {
  const maxLength = prompt + 2 * tokens + 1;
  // Room for all at once, so that they start together.
  const pages = batch * lm.config.loops * Math.ceil(maxLength / 16);
  using core = new DecoderCore(lm, { maxSequences: batch, maxLength, pages, prefillRows: batch * prompt });
  const shape = { batch, prompt, tokens, temperature: 0, staggered: false };
  const {
    seconds,
    cpuSeconds,
    tokens: work,
  } = decoderStretch(core, lm, shape, { rule: 'loops', loops: lm.config.loops });
  return { seconds, cpu: cpuSeconds, work };
}

/** One text whose next token starts after loop 1. Sampled, so that no text falls into a circle. */
function speculate(lm: LoopLM, { prompt, tokens }: Extract<Asked, { measure: 'speculate' }>): Measured {
  const maxLength = prompt + tokens + 1;
  using core = new DecoderCore(lm, { maxSequences: 1, maxLength, prefillRows: prompt, prefixReuse: false });
  const round = roundOf(core, [
    {
      prompt: Array.from({ length: prompt }, (_, t) => (37 * t) % 1000),
      maxTokens: tokens,
      sampling: samplingConfig.parse({ temperature: 0.8 }),
      speculate: { draftLoops: 1 },
      seed: 1,
    },
  ]);
  const { seconds, cpuSeconds: cpu, tokens: work, passes, drafted, accepted } = round;
  return { seconds, cpu, work, passes: passes / work, accepted: drafted > 0 ? accepted / drafted : 0 };
}

async function prefill(lm: LoopLM, prompt: number): Promise<Measured> {
  using core = new DecoderCore(lm, { maxSequences: 1, maxLength: prompt + 2, prefillRows: prompt, prefixReuse: false });
  return await timed(() => {
    const sequence = core.add({ prompt: Array.from({ length: prompt }, (_, t) => (37 * t) % 1000), maxTokens: 1 });
    while (sequence.finish === null) core.pass();
    return prompt;
  });
}
