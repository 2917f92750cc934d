#!/usr/bin/env node
/** The program `looprpt`. Everything is in src/cli; this file only says what to do when that is not compiled yet. */
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/cli/process.js', import.meta.url);

if (existsSync(compiled)) {
  const { runProcess } = await import(compiled.href);
  await runProcess();
} else {
  process.stderr.write('looprpt: not compiled yet: run `npm run setup` first\n');
  process.exitCode = 1;
}
