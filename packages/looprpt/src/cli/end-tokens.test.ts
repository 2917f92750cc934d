/** One set of end tokens: what a folder's files list ends the texts of generate, eval --tasks and serve alike. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startTestServer } from '../../test-support/serve/test-server.js';
import { tinyModelFolder } from '../../test-support/serve/tiny-folder.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { loadModel } from '../checkpoint/folder.js';
import { generateText } from '../decode/generate.js';
import { runTasks } from '../eval/tasks/run-tasks.js';
import { taskConfig } from '../eval/tasks/task-config.js';
import type { LoopLM } from '../model/loop-lm.js';
import { Tokenizer } from '../text/tokenizer.js';

const QUESTION = 'the cat';
const PROMPT = `Problem: ${QUESTION}\nSolution:`;
const MOST = 12;

async function withModel<T>(folder: string, use: (model: LoopLM, tokenizer: Tokenizer) => Promise<T>): Promise<T> {
  const model = loadModel(folder);
  try {
    return await use(model, await Tokenizer.load(folder));
  } finally {
    model.dispose();
  }
}

function generated(folder: string) {
  return withModel(folder, (model, tokenizer) => {
    return generateText(
      { lm: model, tokenizer },
      { prompt: PROMPT, maxTokens: MOST, exit: { loops: model.config.loops } },
    );
  });
}

/** @returns tokens that were made */
function evaluated(folder: string): Promise<number> {
  return withModel(folder, async (model, tokenizer) => {
    const path = temporaryFolder().write('q.jsonl', JSON.stringify({ question: QUESTION, answer: '#### 3' }));
    const loops = [model.config.loops];
    const config = taskConfig.parse({ task: 'gsm8k', path, taus: [], loops, maxTokens: MOST });
    const [task] = (await runTasks(model, tokenizer, [config], { name: 'tiny' })).tasks;
    if (task?.kind !== 'answer') throw new Error('not an answer task');
    return task.perLoop[0]!.meanTokens;
  });
}

async function served(folder: string): Promise<{ tokens: number; reason: string }> {
  await using server = await startTestServer({ folder });
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: PROMPT, max_tokens: MOST, temperature: 0 }),
  });
  const body = await response.json();
  return { tokens: body.usage.completion_tokens, reason: body.choices[0].finish_reason };
}

it.each(['config.json', 'generation_config.json'])('a list in %s ends texts in every command', async (name) => {
  const folder = await tinyModelFolder(temporaryFolder().path);
  const { tokens } = await generated(folder);
  // The first token from the third on that none before it is.
  const before = tokens.findIndex((id, i) => i >= 2 && !tokens.slice(0, i).includes(id));
  expect(before).toBeGreaterThan(0);
  const path = join(folder, name);
  const content = name === 'config.json' ? JSON.parse(readFileSync(path, 'utf8')) : {};
  writeFileSync(path, JSON.stringify({ ...content, eos_token_id: [0, tokens[before]] }));
  const cut = await generated(folder);
  expect([cut.tokens.length, cut.finishReason]).toEqual([before, 'stop']);
  expect(await evaluated(folder)).toBe(before);
  expect(await served(folder)).toEqual({ tokens: before, reason: 'stop' });
});
