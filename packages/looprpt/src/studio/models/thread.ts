/** The thread that looks into models: keeps two open, answers one question after the other. Its `workerData` is how models are opened. */
import { workerData } from 'node:worker_threads';
import { requireEngine } from '../../base/prepare-engine.js';
import { answer } from '../thread/answering.js';
import type { ModelAnswers } from './protocol.js';

requireEngine();
const { Shelf } = await import('./shelf.js');
const { look } = await import('./look.js');
const { someDocuments } = await import('./documents.js');

const shelf = new Shelf(workerData, 2);
let last: Promise<unknown> = Promise.resolve();

/** One after the other: two at once would put away each other's models. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const done = last.then(work, work);
  last = done.catch(() => {});
  return done;
}

answer<ModelAnswers>({
  look: ({ model, ...question }) => inTurn(async () => JSON.stringify(await look(await shelf.take(model), question))),
  documents: someDocuments,
});
