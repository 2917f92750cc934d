/** The answering side of a thread of the studio: one function a kind of question, the answers in whatever order they are ready. */
import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';
import { UserError } from '../../base/user-error.js';
import type { Answers, FromThread, Question } from './protocol.js';

export type Answering<A extends Answers> = {
  [K in keyof A]: (input: A[K]['input']) => A[K]['value'] | Promise<A[K]['value']>;
};

/** @returns what sends news */
export function answer<A extends Answers, News = never>(answering: Answering<A>): (news: News) => void {
  assert(parentPort, 'to be run as a thread');
  const port = parentPort;
  const post = (message: FromThread): void => port.postMessage(message);
  port.on('message', async ({ id, kind, input }: Question) => {
    try {
      post({ kind: 'answer', id, value: await answering[kind]!(input) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      post({ kind: 'mistake', id, message, isUserError: error instanceof UserError });
    }
  });
  return (news) => post({ kind: 'news', news });
}
