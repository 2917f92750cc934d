/**
 * Imported first by every script here: ends at once, with one line, on a Node that is too old for the rest. It is kept
 * in a syntax that old versions still read.
 */
const OLDEST_NODE = 20;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  console.error(
    `looprpt needs Node ${OLDEST_NODE} or newer; this is ${process.version}. Install it from https://nodejs.org or with a version manager.`,
  );
  process.exit(1);
}
