/**
 * The process that renders chats. A template is a program that came with the model; what it does to this process, the decoder and the
 * server do not feel. One question at a time, one answer for each, after one word on whether there is a template at all.
 */
import assert from 'node:assert/strict';
import { UserError } from '../../base/user-error.js';
import { ChatTemplate } from '../../text/chat-template.js';
import type { TemplateAnswer, TemplateQuestion, TemplateState } from './chat-renderer.js';

const send = (word: TemplateState | TemplateAnswer): void => {
  assert(process.send, 'to be started by fork');
  process.send(word);
};
const folder = process.argv[2]!;
process.on('disconnect', () => process.exit());

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function answerTo(template: ChatTemplate, question: TemplateQuestion): TemplateAnswer {
  const { messages, variables, opensAnswer, most } = question;
  try {
    const text = template.render(messages, { variables, addGenerationPrompt: opensAnswer });
    // What is longer is refused by whoever reads it, and need not be copied.
    return { text: text.slice(0, most + 1) };
  } catch (error) {
    if (error instanceof UserError) return { fault: error.message };
    throw error;
  }
}

try {
  const template = await ChatTemplate.load(folder);
  send({ source: template?.source ?? null, fault: null });
  if (template) process.on('message', (question: TemplateQuestion) => send(answerTo(template, question)));
} catch (error) {
  send({ source: null, fault: reason(error) });
}
