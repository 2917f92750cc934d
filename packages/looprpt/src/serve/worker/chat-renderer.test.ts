/** Chat templates of others, in a process that may be told to take its time: the compiled one (`npm run build` first). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../../../test-support/temporary-folder.js';
import { ChatRenderer } from './chat-renderer.js';

const LIMITS = { seconds: 1, startSeconds: 30, megabytes: 64 };
/** n² rounds, of which a template may have 8.4 million, with some work in each. */
const SLOW =
  "{% for i in range(n) %}{% for j in range(n) %}{% set x = ('%08d' % j)|upper|replace('0', '1') %}{% endfor %}{% endfor %}";
const chat = { kind: 'chat', messages: [{ role: 'user', content: 'hi' }], variables: {}, opensAnswer: true } as const;
const asked = (variables: Record<string, unknown>) => ({ ...chat, messages: [...chat.messages], variables });

async function rendererOf(folder: TemporaryFolder, template: string | null): Promise<ChatRenderer> {
  if (template !== null) folder.write('chat_template.jinja', template);
  const renderer = await ChatRenderer.load(folder.path, LIMITS);
  onTestFinished(() => renderer[Symbol.dispose]());
  return renderer;
}

it('renders chats with their variables, one after the other', async () => {
  const renderer = await rendererOf(temporaryFolder(), '{{ messages[0].content }} {{ n }} {{ add_generation_prompt }}');
  const texts = await Promise.all([1, 2, 3].map((n) => renderer.render(asked({ n }), 100)));
  expect(texts).toEqual(['hi 1 True', 'hi 2 True', 'hi 3 True']);
  expect((await renderer.render(asked({ n: 'x'.repeat(500) }), 100)).length).toBe(101);
});

it('refuses a chat that takes too long, and renders the next', async () => {
  // Within the bounds of a template, and seconds of work: ten are over at once.
  const count = `${SLOW}{{ n }}`;
  const renderer = await rendererOf(temporaryFolder(), count);
  expect(await renderer.render(asked({ n: 10 }), 100)).toBe('10');
  const [late, next] = await Promise.allSettled([
    renderer.render(asked({ n: 1500 }), 100),
    renderer.render(asked({ n: 10 }), 100),
  ]);
  expect(late).toMatchObject({
    status: 'rejected',
    reason: { message: expect.stringMatching(/cannot render this chat/) },
  });
  expect(next).toEqual({ status: 'fulfilled', value: '10' });
});

it('says why a template cannot be used, and lets everything else go on', async () => {
  const renderer = await rendererOf(temporaryFolder(), '{% if %}');
  expect(renderer.state).toEqual({ source: null, fault: expect.stringMatching(/does not parse/) });
  await expect(renderer.render(asked({}), 100)).rejects.toThrow(/does not parse.*use \/v1\/completions/);
  const none = await rendererOf(temporaryFolder(), null);
  expect(none.state).toEqual({ source: null, fault: null });
  await expect(none.render(asked({}), 100)).rejects.toThrow('this model has no chat template; use /v1/completions');
  const refusing = await rendererOf(temporaryFolder(), "{{ raise_exception('no system turn') }}");
  await expect(refusing.render(asked({}), 100)).rejects.toThrow(/refuses these messages \(no system turn\)/);
});

it('starts anew with what the folder has then', async () => {
  const folder = temporaryFolder();
  const renderer = await rendererOf(folder, `${SLOW}a`);
  writeFileSync(join(folder.path, 'chat_template.jinja'), '{% if %}');
  await expect(renderer.render(asked({ n: 1500 }), 100)).rejects.toThrow();
  await expect(renderer.render(asked({ n: 1 }), 100)).rejects.toThrow(/does not parse/);
});
