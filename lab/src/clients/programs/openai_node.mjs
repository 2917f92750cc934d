/** What a user of OpenAI's Node client sees. Prints one JSON line for each thing tried; BASE_URL and MODEL say where. */
import OpenAI from 'openai';

const { BASE_URL, MODEL: model } = process.env;
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: 'none', maxRetries: 0 });
const prompt = { model, prompt: 'map ad bf ce | b 2', max_tokens: 8, seed: 1 };
// The model would end most answers at once.
const more = { max_tokens: 8, min_tokens: 8, seed: 1 };
const chat = { model, messages: [{ role: 'user', content: 'map ad bf | b' }], ...more };

async function tried(what, work) {
  const [saw, ok] = await work().catch((error) => [`${error.constructor.name}: ${error.message}`, false]);
  console.log(JSON.stringify({ tried: what, saw: String(saw), ok: Boolean(ok) }));
}

await tried('models.list', async () => {
  const ids = [];
  for await (const { id } of client.models.list()) ids.push(id);
  return [ids, ids.length === 1 && ids[0] === model];
});

await tried('completions, stream', async () => {
  const whole = (await client.completions.create(prompt)).choices[0].text;
  let text = '';
  for await (const { choices } of await client.completions.create({ ...prompt, stream: true })) text += choices[0].text;
  return [`${whole.length} characters, streamed the same`, text === whole];
});

await tried('chat.completions, stream', async () => {
  const whole = await client.chat.completions.create(chat);
  let text = '';
  for await (const { choices } of await client.chat.completions.create({ ...chat, stream: true }))
    text += choices[0].delta.content ?? '';
  const { content } = whole.choices[0].message;
  return [`${whole.usage.completion_tokens} tokens, streamed the same`, text === content];
});

await tried('chat.completions.stream helper', async () => {
  const stream = client.chat.completions.stream(chat);
  const text = await stream.finalContent();
  const { usage } = await stream.finalChatCompletion();
  return [`${text.length} characters`, typeof text === 'string' && usage !== null];
});

await tried('a stream left in the middle', async () => {
  const long = { ...prompt, max_tokens: 400, ignore_eos: true, stream: true };
  for await (const _ of await client.completions.create(long)) break;
  const { choices } = await client.completions.create(prompt);
  return ['the next request is answered', choices.length === 1];
});

await tried('response_format json_object', async () => {
  const asked = client.chat.completions.create({ ...chat, response_format: { type: 'json_object' } });
  const seen = await asked.then(
    ({ choices }) => ({ text: choices[0].message.content }),
    (error) => ({ error }),
  );
  if ('text' in seen) return [`text ${JSON.stringify(seen.text)}`, true];
  const { status, param } = seen.error;
  return [`${seen.error.constructor.name} ${status}, param ${param}`, status === 400 && param === 'response_format'];
});

await tried('another model', async () => {
  const error = await client.completions.create({ ...prompt, model: 'gpt-5' }).catch((caught) => caught);
  return [`${error.constructor.name} ${error.status}, code ${error.code}`, error instanceof OpenAI.NotFoundError];
});
