/**
 * What one call of an operator costs beside the arithmetic: tiny tensors, many calls, microseconds per call.
 *
 *   node packages/engine/bench/overhead.mjs [calls per round]
 *
 * Every case runs once per round, the rounds are interleaved, and the median of seven is printed, so that a burst of
 * foreign load does not fall on one case alone. The same loops run in Python's PyTorch between ours where `python3`
 * (or $PYTHON) imports one; its version may differ from that of the libtorch used here. The last line is JSON.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { engineBuild, libtorchVersion, noGrad, ones, op, scope, setThreads } from '@looprpt/engine';

const ROUNDS = 7;
const CALLS = Number(process.argv[2] ?? 20_000);

const PYTHON_LOOPS = `
import sys, time, torch
torch.set_num_threads(1)
a, b = torch.ones(4, 4), torch.ones(4, 4)
w = torch.ones(4, 4, requires_grad=True)
def add(n):
    for _ in range(n): a.add(b)
def view(n):
    for _ in range(n): a.view(16)
def recorded(n):
    for _ in range(n): w.mul(a)
loops = {'add': add, 'view': view, 'recorded': recorded}
print(torch.__version__, flush=True)
for line in sys.stdin:
    name, n = line.split()
    start = time.perf_counter()
    loops[name](int(n))
    print((time.perf_counter() - start) / int(n) * 1e6, flush=True)
`;

/** A Python that imports torch, kept running between rounds; null where there is none. */
async function startPython() {
  const candidates = [process.env.PYTHON, engineBuild().libtorch.python, 'python3', '/usr/bin/python3'];
  const python = candidates.find((name) => name && spawnSync(name, ['-c', 'import torch']).status === 0);
  if (!python) return null;
  const child = spawn(python, ['-u', '-c', PYTHON_LOOPS], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [version] = await once(lines, 'line');
  return {
    version,
    run: async (name) => {
      child.stdin.write(`${name} ${CALLS}\n`);
      return Number((await once(lines, 'line'))[0]);
    },
    stop: () => child.stdin.end(),
  };
}

setThreads(1);
const a = ones([4, 4]);
const b = ones([4, 4]);
const w = ones([4, 4]);
w.requiresGrad = true;
const addByName = op('aten::add.Tensor');
/** As many calls as one layer makes, so that a scope's own cost is shared as in real use. */
const PER_SCOPE = 50;

function inScopes(body) {
  for (let i = 0; i < CALLS; i += PER_SCOPE) {
    scope(() => {
      for (let j = 0; j < PER_SCOPE; j++) body();
    });
  }
}
function disposing(body) {
  for (let i = 0; i < CALLS; i++) body().dispose();
}

/** What it is, how it runs, and the Python loop that does the same work. */
const cases = [
  { name: 'add, method, in a scope', run: () => inScopes(() => a.add(b)), python: 'add' },
  { name: 'add, op(), in a scope', run: () => inScopes(() => addByName(a, b)), python: 'add' },
  { name: 'add, method, disposed of by hand', run: () => disposing(() => a.add(b)), python: 'add' },
  { name: 'view, method, in a scope', run: () => inScopes(() => a.view(16)), python: 'view' },
  { name: 'mul recorded for gradients, in a scope', run: () => inScopes(() => w.mul(a)), python: 'recorded' },
  { name: 'mul under noGrad, in a scope', run: () => noGrad(() => inScopes(() => w.mul(a))), python: null },
];

function timed(run) {
  const start = performance.now();
  run();
  return ((performance.now() - start) / CALLS) * 1000;
}

const median = (values) => values.toSorted((x, y) => x - y)[values.length >> 1];

const python = await startPython();
for (const { run } of cases) run(); // compiled before it is timed
const ours = cases.map(() => []);
const theirs = new Map(cases.flatMap(({ python }) => (python ? [[python, []]] : [])));
for (let round = 0; round < ROUNDS; round++) {
  cases.forEach(({ run }, i) => {
    ours[i].push(timed(run));
  });
  if (python) for (const [name, values] of theirs) values.push(await python.run(name));
}
python?.stop();

console.log(`libtorch ${libtorchVersion()}, node ${process.version}, ${cpus()[0]?.model}`);
console.log(python ? `PyTorch ${python.version} in Python` : 'PyTorch in Python: skipped, no python3 imports torch');
console.log(`µs per call, 4×4 tensors, ${CALLS} calls, median of ${ROUNDS} interleaved rounds\n`);
const results = cases.map(({ name, python: loop }, i) => ({
  name,
  microseconds: Number(median(ours[i]).toFixed(3)),
  python: python && loop ? Number(median(theirs.get(loop)).toFixed(3)) : null,
}));
for (const { name, microseconds, python } of results)
  console.log(`${name.padEnd(42)} ${microseconds.toFixed(2).padStart(6)}  ${python?.toFixed(2).padStart(6) ?? ''}`);
console.log(
  JSON.stringify({
    bench: 'engine-overhead',
    libtorch: libtorchVersion(),
    python: python?.version ?? null,
    calls: CALLS,
    rounds: ROUNDS,
    load: loadavg()[0],
    results,
  }),
);
