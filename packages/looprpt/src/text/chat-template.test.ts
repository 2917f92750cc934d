import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sharedData } from '../../test-support/shared-data.js';
import { CHATML_TEMPLATE, type ChatMessage, ChatTemplate } from './chat-template.js';
import { Tokenizer } from './tokenizer.js';

interface GoldenCase {
  messages: ChatMessage[];
  add_generation_prompt: boolean;
  enable_thinking: boolean | null;
  shipped_base_template: string;
  thinking_fork_template: string;
  shipped_base_template_ids: number[];
  thinking_fork_template_ids: number[];
}

const golden = new URL('../../test-support/fixtures/golden/edge/chat_template.json', import.meta.url);
const { cases } = JSON.parse(await readFile(golden, 'utf8')) as { cases: GoldenCase[] };

const options = (given: GoldenCase) => ({
  addGenerationPrompt: given.add_generation_prompt,
  enableThinking: given.enable_thinking ?? undefined,
});

test('our ChatML template gives the golden strings of the thinking variant', async () => {
  const template = await ChatTemplate.parse(CHATML_TEMPLATE, 'ours');
  expect(cases.length).toBe(10);
  for (const given of cases) {
    expect(template.render(given.messages, options(given))).toBe(given.thinking_fork_template);
  }
});

describe('Ouro’s tokenizer folder', () => {
  const path = sharedData('tokenizer-ouro', 'tokenizer_config.json');
  test('renders and encodes the golden cases', async ({ skip }) => {
    skip(path === null, 'shared/data/tokenizer-ouro is not on this machine');
    const shipped = (await ChatTemplate.load(dirname(path!)))!;
    const tokenizer = await Tokenizer.load(dirname(path!));
    for (const given of cases) {
      const text = shipped.render(given.messages, options(given));
      expect(text).toBe(given.shipped_base_template);
      expect([...(await tokenizer.encode(text))]).toEqual(given.shipped_base_template_ids);
      expect([...(await tokenizer.encode(given.thinking_fork_template))]).toEqual(given.thinking_fork_template_ids);
    }
  });
});

describe('where the template comes from', () => {
  const messages = [{ role: 'user', content: 'hi' }];
  const load = async (files: Record<string, string>, name?: string) => {
    const dir = await mkdtemp(join(tmpdir(), 'looprpt-template-'));
    for (const [file, content] of Object.entries(files)) await writeFile(join(dir, file), content);
    return ChatTemplate.load(dir, name);
  };
  const named = JSON.stringify({
    eos_token: { content: '</s>', lstrip: false },
    chat_template: [
      { name: 'default', template: 'plain{{ eos_token }}' },
      { name: 'tools', template: '{{ tools | length }} tools' },
    ],
  });

  test('the file of its own goes first, then the configuration, then none', async () => {
    const both = await load({ 'tokenizer_config.json': named, 'chat_template.jinja': '{{ messages[0].content }}' });
    expect(both!.render(messages)).toBe('hi');
    expect((await load({ 'tokenizer_config.json': named }))!.render(messages)).toBe('plain</s>');
    expect(await load({ 'tokenizer_config.json': '{}' })).toBeNull();
    expect(await load({})).toBeNull();
  });

  test('several have names', async () => {
    const tools = await load({ 'tokenizer_config.json': named }, 'tools');
    expect(tools!.render(messages, { variables: { tools: [1, 2] } })).toBe('2 tools');
    await expect(load({ 'tokenizer_config.json': named }, 'rag')).rejects.toThrow(
      /named "rag" \(it has: default, tools\)/,
    );
  });

  test('blocks are trimmed as transformers does', async () => {
    const template = await ChatTemplate.parse('a\n  {% if true %}\nb\n  {% endif %}\nc', 'test');
    expect(template.render(messages)).toBe('a\nb\nc');
  });

  test('a broken template and a refusal are the user’s to mend', async () => {
    await expect(load({ 'chat_template.jinja': '{% if %}' })).rejects.toThrow(
      /chat_template\.jinja: .* does not parse/,
    );
    const strict = await load({ 'chat_template.jinja': "{{ raise_exception('roles must alternate') }}" });
    expect(() => strict!.render(messages)).toThrow(/refuses these messages \(.*roles must alternate/);
  });
});
