#!/usr/bin/env node
/** The program `looprpt`. Everything is in src/cli; this file only says what to do when that cannot run. */
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/cli/process.js', import.meta.url);

const complaint = existsSync(compiled)
  ? (await import('@looprpt/engine/node-version')).complaintOfNode()
  : 'not compiled yet: run `npm run setup` first';
if (complaint === null) {
  const { runProcess } = await import(compiled.href);
  await runProcess();
} else {
  process.stderr.write(`looprpt: ${complaint}\n`);
  process.exitCode = 1;
}
