/**
 * Documents of one's own, as an async iterable: they may come from a file, a database or the network, and are tokenised as they are
 * read. Here they are counted out; only what stands behind "=" counts in the loss.
 *
 *     node dist/own-data.js [STEPS] [RUN FOLDER]
 */
import { type Document, train } from 'looprpt';

const [steps = '50', out = 'runs/own-data'] = process.argv.slice(2);

async function* sums(): AsyncGenerator<Document> {
  for (let n = 0; ; n++) {
    const prompt = `${n % 50} + ${(7 * n) % 50} =`;
    const text = `${prompt} ${(n % 50) + ((7 * n) % 50)}`;
    // Ranges of characters; a document without them counts as a whole.
    yield { text, loss: [[prompt.length + 1, text.length]] };
  }
}

const run = await train(
  {
    model: { from: 'hop-base' },
    objective: { kind: 'stage1', beta: 0.05 },
    batch: { rows: 16, sequenceLength: 64 },
    steps: Number(steps),
    out,
  },
  { data: sums() },
);
console.log(`trained on ${steps} batches of sums: ${run.model}`);
