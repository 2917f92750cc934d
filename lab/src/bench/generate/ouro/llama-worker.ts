/**
 * llama.cpp's side, through node-llama-cpp from a folder of the user's: a dense model of the layers. What a LoopLM makes of a token,
 * four passes through the layers and one through the head, is four of its tokens here, of which the last alone is read out.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { LOOPS } from '../../cases.js';
import { type Asked, askedSchema, type Measured, timed } from './protocol.js';

/** The part of node-llama-cpp that is used. */
interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>;
  controlledEvaluate(
    input: (number | [token: number, options: { generateNext: { token: true; options: { temperature: 0 } } }])[],
  ): Promise<unknown>;
  dispose(): void;
}
interface Context {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}
interface Model {
  createContext(options: {
    contextSize: number;
    sequences: number;
    threads: number;
    batchSize: number;
  }): Promise<Context>;
}
interface Llama {
  getLlama(options: { gpu: false; build: 'never'; logLevel: 'error' }): Promise<{
    loadModel(options: { modelPath: string }): Promise<Model>;
  }>;
}

const [packages, file, threads] = process.argv.slice(2) as [string, string, string];
const entry = createRequire(join(packages, 'package.json')).resolve('node-llama-cpp');
const { getLlama } = (await import(pathToFileURL(entry).href)) as Llama;
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file });

for await (const line of createInterface({ input: process.stdin })) {
  const asked = askedSchema.parse(JSON.parse(line));
  process.stdout.write(`${JSON.stringify(await answer(asked))}\n`);
}
process.exit(0);

async function answer(asked: Asked): Promise<Measured> {
  if (asked.measure !== 'decode') throw new Error(`llama.cpp is not asked for ${asked.measure}`);
  const { batch, prompt, tokens } = asked;
  const contextSize = prompt + LOOPS * (tokens + 1);
  const context = await model.createContext({
    contextSize,
    sequences: batch,
    threads: Number(threads),
    batchSize: Math.max(64, batch),
  });
  const sequences = Array.from({ length: batch }, () => context.getSequence());
  const each = (run: (sequence: Sequence) => Promise<unknown>): Promise<unknown> => Promise.all(sequences.map(run));
  const token = async (id: number): Promise<void> => {
    for (let loop = 1; loop < LOOPS; loop++)
      await each((sequence) => sequence.evaluateWithoutGeneratingNewTokens([id + loop]));
    await each((sequence) =>
      sequence.controlledEvaluate([[id, { generateNext: { token: true, options: { temperature: 0 } } }]]),
    );
  };
  await each((sequence) =>
    sequence.evaluateWithoutGeneratingNewTokens(Array.from({ length: prompt }, (_, t) => 100 + t)),
  );
  await token(50);
  const measured = await timed(async () => {
    for (let t = 1; t < tokens; t++) await token(200 + 10 * t);
    return batch * (tokens - 1);
  });
  await context.dispose();
  return measured;
}
