/**
 * A server in this program, and one request to it by OpenAI's protocol; any of its clients does.
 *
 *     node dist/serve.js [MODEL] [PROMPT]
 */
import { serve } from 'looprpt';

const [model = 'hop-base', prompt = 'map ci gd ah hc ia dg ask c 1'] = process.argv.slice(2);

// Port 0 is any free one. The model and its thread go when the block ends.
await using server = await serve({ model, port: 0, maxLength: 256 }, { onMessage: console.error });
console.log(`${server.url} serves ${server.modelId}`);

const response = await fetch(`${server.url}/v1/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ prompt, max_tokens: 4, temperature: 0, loop: { exit_threshold: 0.7 } }),
});
const { choices, usage } = (await response.json()) as { choices: { text: string }[]; usage: { loops: number } };
console.log(`${prompt} →${choices[0]!.text} (${usage.loops.toFixed(2)} loops a token)`);
