/** Held-out documents for a reader: some of a file, a folder or a generated task. */
import { UserError } from '../../base/user-error.js';
import { heldOutDocuments, heldOutTask } from '../../eval/data.js';
import { withTaskSettings } from '../../eval/judged-task.js';
import type { DocumentsQuestion, HeldOutText } from './protocol.js';

/** @throws UserError where the data cannot be read, or end before the first that was asked for */
export async function someDocuments({ model, data, skip, count, seed }: DocumentsQuestion): Promise<HeldOutText[]> {
  const task = heldOutTask(data);
  const { known } = await withTaskSettings(
    task === null ? data : { ...task, seed, count: skip + count },
    model,
    () => {},
  );
  const texts: HeldOutText[] = [];
  let at = 0;
  for await (const { text, loss = null } of heldOutDocuments(known)) {
    if (at++ < skip || text.trim() === '') continue;
    texts.push({ text, loss });
    if (texts.length >= count) break;
  }
  if (texts.length === 0) throw new UserError(`${data}: has no text behind document ${skip}`);
  return texts;
}
