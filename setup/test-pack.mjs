/**
 * `npm run test:pack`: both packages packed, installed by npm from the registry's packages in an empty folder, the addon made there,
 * and every example run. Takes the addon that was built here where it is of the same sources; `--fresh` compiles it again.
 */
import './node-version.mjs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compileExamples, lendBuild, PUBLISHED, pack, run } from './packed.mjs';

/** Arguments of a short run. */
const ARGUMENTS = { default: ['3', 'runs/NAME'], generate: [], serve: [] };

const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-pack-'));
/** @param {string} text */
const say = (text) => void process.stdout.write(`${text}\n`);
try {
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const tarballs = PUBLISHED.map((place) => path.join(folder, pack(place, ['--pack-destination', folder]).filename));
  say(`installing ${tarballs.map((file) => path.basename(file)).join(' and ')} in ${folder}`);
  run(['npm', 'install', '--no-audit', '--no-fund', ...tarballs], folder);
  if (!process.argv.includes('--fresh')) lendBuild(folder);
  say('looprpt setup');
  say(run(['npx', 'looprpt', 'setup', '--yes'], folder).trimEnd());
  for (const name of compileExamples(folder)) {
    const given = name in ARGUMENTS ? ARGUMENTS[/** @type {keyof typeof ARGUMENTS} */ (name)] : ARGUMENTS.default;
    say(`example ${name}`);
    say(
      run([process.execPath, `dist/${name}.js`, ...given.map((word) => word.replace('NAME', name))], folder).trimEnd(),
    );
  }
  say('the packages work from an empty folder');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
