/**
 * Imported first by every script here: ends at once, with one line, on a Node that is too old for the rest. It is kept
 * in a syntax that old versions still read.
 */
import { complaintOfNode } from '../packages/engine/setup/node-version.mjs';

const complaint = complaintOfNode();
if (complaint !== null) {
  console.error(`looprpt: ${complaint}`);
  process.exit(1);
}
