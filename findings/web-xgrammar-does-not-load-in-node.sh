#!/usr/bin/env bash
# @mlc-ai/web-xgrammar 0.1.27 cannot be imported in Node: its one file is UMD, in a package that says it is an ES module.
#
# Version:     @mlc-ai/web-xgrammar 0.1.27, the newest in November 2026; Node 20.20.2.
# Expectation: the JavaScript binding of XGrammar, which vLLM and SGLang hold their texts to a schema with, can be imported in a server
#              written for Node: `import { Grammar } from '@mlc-ai/web-xgrammar'`.
# Behaviour:   as an ES module the file finds no require at import, and would export nothing if it did. The same file under a name that
#              ends in .cjs loads and has all its exports, so the code is whole and the package's "type": "module" is what is wrong.
# Seen:
#   import: ReferenceError: require is not defined in ES module scope
#   the same file as .cjs: Grammar is a function
#
# Needs node, npm and the npm registry; works in a temporary folder. Exit code 1: it behaves otherwise now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --save-exact --no-audit --no-fund --loglevel error @mlc-ai/web-xgrammar@0.1.27 > /dev/null
cp node_modules/@mlc-ai/web-xgrammar/lib/index.js same.cjs
cat > ask.mjs <<'JS'
import { createRequire } from 'node:module';

const imported = await import('@mlc-ai/web-xgrammar').then(
  ({ Grammar }) => `Grammar is a ${typeof Grammar}`,
  (error) => `${error.name}: ${error.message.split(',')[0]}`,
);
console.log(`import: ${imported}`);
const { Grammar } = createRequire(import.meta.url)('./same.cjs');
console.log(`the same file as .cjs: Grammar is a ${typeof Grammar}`);
const isAsSeen = imported.startsWith('ReferenceError: require is not defined') && typeof Grammar === 'function';
process.exit(isAsSeen ? 0 : 1);
JS
echo "Node $(node --version)"
node ask.mjs
