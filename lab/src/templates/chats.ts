/** The chats that are put into every template, and the settings that each is rendered with. */
import type { ChatMessage } from 'looprpt/internal/text/chat-template.js';

export interface TemplateCase {
  template: string;
  chat: string;
  messages: ChatMessage[];
  variables: Record<string, unknown>;
}

const said = (...turns: [string, string][]): ChatMessage[] => turns.map(([role, content]) => ({ role, content }));

const CHATS: Record<string, ChatMessage[]> = {
  user: said(['user', 'hi']),
  system: said(['system', 'You are terse.'], ['user', 'What is 3 + 4?']),
  turns: said(['user', ' hello \n'], ['assistant', 'Hi!'], ['user', '"quotes" & <b>\n\nand lines']),
  'system and turns': said(['system', '  Be kind.\n'], ['user', 'a'], ['assistant', 'b \n'], ['user', 'é 漢 🙂']),
  'ends with an answer': said(['user', 'a'], ['assistant', 'b']),
  thoughts: said(['user', 'q'], ['assistant', '<think>\n\n  deep \n\n</think>\n\n   indented\n'], ['user', 'and?']),
  'last thoughts': said(['user', 'q'], ['assistant', '<think>  x </think>  y  ']),
  'thoughts apart': [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: '  a\n', reasoning_content: '\n\n why \n' },
    { role: 'user', content: 'and?' },
  ],
  'a role of few': said(['developer', 'd'], ['user', 'u']),
  'two systems': said(['system', 'one'], ['system', 'two'], ['user', 'u']),
  'nothing said': said(['user', '']),
  'like a template': said(['user', '{{ 7 * 7 }} {% raw %}']),
};

const SETTINGS: Record<string, unknown>[] = [
  { add_generation_prompt: false },
  { add_generation_prompt: true },
  { add_generation_prompt: true, enable_thinking: false },
  { add_generation_prompt: true, enable_thinking: true },
  { add_generation_prompt: true, reasoning_effort: 'high', thinking: true },
];

/** Every template with every chat and every setting. */
export function allCases(templates: readonly string[]): TemplateCase[] {
  return templates.flatMap((template) =>
    Object.entries(CHATS).flatMap(([chat, messages]) =>
      SETTINGS.map((variables) => ({ template, chat, messages, variables })),
    ),
  );
}
