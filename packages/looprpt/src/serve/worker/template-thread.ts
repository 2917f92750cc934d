/**
 * The thread that renders chats. A template is a program that came with the model; what it does to this thread, the decoder and the
 * server do not feel. One question at a time, one answer for each, after one word on whether there is a template at all.
 */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../../base/user-error.js';
import { ChatTemplate } from '../../text/chat-template.js';
import type { TemplateAnswer, TemplateQuestion, TemplateState } from './chat-renderer.js';

const port = parentPort;
assert(port !== null, 'to be started as a worker thread');
const { folder } = workerData as { folder: string };

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
  port.postMessage({ source: template?.source ?? null, fault: null } satisfies TemplateState);
  if (template) port.on('message', (question: TemplateQuestion) => port.postMessage(answerTo(template, question)));
} catch (error) {
  port.postMessage({ source: null, fault: reason(error) } satisfies TemplateState);
}
