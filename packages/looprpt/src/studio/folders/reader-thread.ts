/** A thread that reads metrics in large pieces, several at a time beside each other, and gives back digests. */

import { digestBytes, digestFrom, writeDigest } from '../../train/metrics/thinned/digest.js';
import { MetricsReading } from '../../train/metrics/thinned/reading.js';
import { MetricsTail } from '../../train/metrics/thinned/tail.js';
import { answer } from '../thread/answering.js';
import type { ReaderAnswers } from './reader-protocol.js';

const SLICE = 4 << 20;
/** Of one answer, so that a reader hears of a very long file's progress. */
const MOST_SLICES = 16;

answer<ReaderAnswers>({
  read: ({ metrics, known, keep }) => {
    const digest = known && digestFrom(Buffer.from(known), metrics);
    let reading = digest?.reading ?? new MetricsReading();
    const tail = new MetricsTail(metrics, digest?.covers);
    const restart = (): void => {
      reading = new MetricsReading();
    };
    let left: number | undefined = 1;
    for (let i = 0; left && i < MOST_SLICES; i++)
      left = tail.read((lines, offset) => reading.take(lines, offset), SLICE, restart)?.left;
    const bytes = digestBytes({ reading, covers: tail.offset }, metrics);
    if (left === 0) writeDigest(keep, bytes);
    return bytes;
  },
});
