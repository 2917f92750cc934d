/** The first steps of both sides, for real: this is what makes the benchmark a comparison. */
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../packages/looprpt/test-support/temporary-folder.js';
import { agreements } from './agreement.js';
import { MODES } from './cases.js';
import { prepareFiles } from './files.js';
import { findPeer, sameVersion } from './peer.js';
import { stepReplySchema } from './protocol.js';
import { StepWorker } from './step-worker.js';
import { WorkerProcess } from './worker-process.js';

describe('the peer', () => {
  it('needs a Python with PyTorch', () => {
    expect(findPeer('1.13.0', ['no-such-python', 'false'])).toBeNull();
  });

  it('is of the same release, or it is said', () => {
    expect(sameVersion('1.13.0a0', '1.13.0')).toBe(true);
    expect(sameVersion('2.4.1+cpu', '2.4.1')).toBe(true);
    expect(sameVersion('2.4.10', '2.4.1')).toBe(false);
    expect(sameVersion('?', '?')).toBe(false);
  });

  it.for(['stage1', 'looprpt-hard-backbone'])('computes the same as we do: %s', async (name, { skip }) => {
    const peer = findPeer('1.13.0');
    if (!peer) return skip('no Python with PyTorch and numpy');
    const { path } = temporaryFolder();
    const args = {
      worker: name,
      model: { hidden: 32, layers: 2, heads: 4, ffn: 48, vocab: 100 },
      shape: { B: 3, T: 24 },
      threads: 1,
      files: { model: `${path}/model`, tokens: `${path}/tokens` },
    };
    await prepareFiles(args);
    using worker = new StepWorker(args);
    const theirs = new WorkerProcess(peer.program, args);
    const ours = [stepReplySchema.parse(worker.answer('')), stepReplySchema.parse(worker.answer(''))];
    const replies = [await theirs.ask('', stepReplySchema), await theirs.ask('', stepReplySchema)];
    await theirs.close();
    const mode = MODES.find((one) => one.name === name)!;
    const seriesOf = (first: (typeof ours)[number]) => ({ first, steps: [] });
    const compared = agreements({
      mode,
      ours: seriesOf(ours[0]!),
      peer: seriesOf(replies[0]!),
      parts: [],
      operators: null,
    });
    expect(compared.length).toBeGreaterThan(1);
    expect(compared.filter(({ agree }) => !agree)).toEqual([]);
    // The optimizer too: after one update the second batch's loss is the same.
    if (name === 'stage1') expect(ours[1]!.loss).toBeCloseTo(replies[1]!.loss, 4);
  });
});
