/** What a user of the AI SDK sees. Prints one JSON line for each thing tried; BASE_URL and MODEL say where. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';

const { BASE_URL, MODEL: model } = process.env;
const provider = createOpenAICompatible({ name: 'looprpt', baseURL: `${BASE_URL}/v1`, includeUsage: true });
const common = { maxOutputTokens: 8, seed: 1, maxRetries: 0 };
// The model would end most answers at once.
const providerOptions = { looprpt: { min_tokens: 8 } };
const chat = { ...common, model: provider(model), prompt: 'map ad bf | b', providerOptions };

async function tried(what, work) {
  const [saw, ok] = await work().catch((error) => [`${error.constructor.name}: ${error.message}`, false]);
  console.log(JSON.stringify({ tried: what, saw: String(saw), ok: Boolean(ok) }));
}

await tried('generateText, streamText', async () => {
  const whole = await generateText(chat);
  const stream = streamText(chat);
  let text = '';
  for await (const part of stream.textStream) text += part;
  const { outputTokens } = await stream.usage;
  return [
    `${outputTokens} tokens, streamed the same`,
    text === whole.text && outputTokens === whole.usage.outputTokens,
  ];
});

await tried('completionModel', async () => {
  const { text, finishReason } = await generateText({ ...chat, model: provider.completionModel(model) });
  return [`${text.length} characters, ${finishReason}`, finishReason === 'stop' || finishReason === 'length'];
});

await tried('providerOptions with loop', async () => {
  const loop = { exit_threshold: 0.5 };
  const asked = { ...chat, providerOptions: { looprpt: { ...providerOptions.looprpt, loop } } };
  const { loops } = (await generateText(asked)).usage.raw;
  return [`usage.loops ${loops.toFixed(2)}`, loops >= 1 && loops <= 4];
});

await tried('a stream that is aborted', async () => {
  const stop = new AbortController();
  const { textStream } = streamText({ ...chat, maxOutputTokens: 400, abortSignal: stop.signal, onError: () => {} });
  for await (const _ of textStream) stop.abort();
  const { text } = await generateText(chat);
  return ['the next request is answered', typeof text === 'string'];
});

await tried('more tokens than fit', async () => {
  const error = await generateText({ ...chat, maxOutputTokens: 100000 }).catch((caught) => caught);
  return [
    `${error.name} ${error.statusCode}: ${error.message}`,
    APICallError.isInstance(error) && error.statusCode === 400,
  ];
});
