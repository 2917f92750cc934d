#!/usr/bin/env node
/**
 * `npm run bench:studio`: how long the studio takes to open many long runs, and whether its memory stays flat while a fast run goes on. A
 * table first; the last line is one JSON object. Medians; state the processor beside them.
 *
 * Opening is counted from the start of the process to the answer with the loss of all runs, first by single steps (`preview`), then thinned
 * from every step with smallest and largest values (`exact`); `again` is the same answer asked for once more, from the open studio.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from '@commander-js/extra-typings';
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { integer } from 'looprpt/internal/cli/values.js';

/** Files that differ; the other runs are links to them, which costs the studio as much and the disk less. */
const DISTINCT = 8;
const PIECE = 500;
const PROGRAM = join(dirname(createRequire(import.meta.url).resolve('looprpt/package.json')), 'bin/looprpt.js');

const { runs, steps, minutes, rate } = new Command('bench:studio')
  .description('Times the studio on synthetic runs, then measures its memory over a live one.')
  .option('--runs <n>', 'runs', integer(1), 200)
  .option('--steps <n>', 'steps of each', integer(1), 20_000)
  .option('--minutes <n>', 'of the live run; 0 leaves it out', integer(0), 10)
  .option('--rate <n>', 'steps a second of the live run', integer(1), 100)
  .parse()
  .opts();

const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-studio-'));
try {
  writeRuns(join(folder, 'runs'));
  const opening = await timeOpening(join(folder, 'runs'));
  const memory = minutes > 0 ? await measureMemory(join(folder, 'live')) : [];
  process.stdout.write(
    `${renderTable(
      ['opening', 'ms', 'ms of CPU'],
      Object.entries(opening).map(([name, [wall, cpu]]) => [name, Math.round(wall), Math.round(cpu)]),
    )}\n`,
  );
  if (memory.length > 0)
    process.stdout.write(
      `\n${renderTable(
        ['minute', 'steps', 'resident MiB'],
        memory.map(({ minute, step, mib }) => [minute, step, Math.round(mib)]),
      )}\n`,
    );
  process.stdout.write(`${JSON.stringify({ runs, steps, opening, memory })}\n`);
} finally {
  rmSync(folder, { recursive: true });
}

function record(step: number): string {
  const some = (): number => Math.random();
  const exits = { exitHistogram: [some(), some(), some(), some()], exitEntropy: some(), meanLoops: 1 + some() };
  const parts = { policy: some(), representation: some(), entropy: some(), gate: some() };
  const rewards = { rewardByLoop: [some(), some(), some(), some()], advantageSpread: some(), noSpreadShare: some() };
  const speed = { tokens: 2048 * step, seconds: 0.1 * step, tokensPerSecond: 2e4 * some(), learningRate: some() };
  const rest = { gradientNorm: some(), klTeacher: some(), memoryBytes: 4e8 };
  return `${JSON.stringify({ step, ...speed, loss: 2 + some() / step, ...exits, parts, ...rewards, ...rest })}\n`;
}

function writeRuns(place: string): void {
  for (let run = 0; run < runs; run++) {
    const path = join(place, `run-${String(run).padStart(3, '0')}`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'config.json'), JSON.stringify({ steps }));
    const file = join(path, 'metrics.jsonl');
    if (run >= DISTINCT) {
      linkSync(join(place, `run-${String(run % DISTINCT).padStart(3, '0')}`, 'metrics.jsonl'), file);
      continue;
    }
    for (let first = 1; first <= steps; first += PIECE) {
      const count = Math.min(PIECE, steps - first + 1);
      appendFileSync(file, Array.from({ length: count }, (_, i) => record(first + i)).join(''));
    }
  }
}

interface Curves {
  runs: { exact: boolean }[];
}

async function timeOpening(place: string): Promise<Record<string, [wall: number, cpu: number]>> {
  const began = performance.now();
  const { child, url } = await openStudio(place);
  const since = (): [wall: number, cpu: number] => [performance.now() - began, cpuMs(child.pid!)];
  const list = (await (await fetch(`${url}/api/runs`)).json()) as { runs: { id: string }[] };
  const listed = since();
  const body = JSON.stringify({ runs: list.runs.map(({ id }) => id), columns: ['loss'], points: 150 });
  const curves = async (): Promise<Curves> => {
    const headers = { 'content-type': 'application/json' };
    return (await (await fetch(`${url}/api/curves`, { method: 'POST', headers, body })).json()) as Curves;
  };
  await curves();
  const preview = since();
  while ((await curves()).runs.some(({ exact }) => !exact)) await sleep(100);
  const exact = since();
  const [asked, worked] = since();
  await curves();
  const [answered, done] = since();
  const again: [number, number] = [answered - asked, done - worked];
  await end(child);
  return { listed, preview, exact, again };
}

/** Resident memory of the studio's process, a reading a minute, while a run is written and its curves are asked for. */
async function measureMemory(place: string): Promise<{ minute: number; step: number; mib: number }[]> {
  mkdirSync(place);
  writeFileSync(join(place, 'config.json'), JSON.stringify({ steps: 1e6 }));
  const file = join(place, 'metrics.jsonl');
  writeFileSync(file, record(1));
  const { child, url } = await openStudio(place);
  const events = (await fetch(`${url}/api/events`)).body!;
  const reading = (async () => {
    for await (const _ of events);
  })().catch(() => {});
  const [{ id }] = ((await (await fetch(`${url}/api/runs`)).json()) as { runs: [{ id: string }] }).runs;
  const readings = [];
  const began = performance.now();
  let step = 1;
  for (let minute = 1; minute <= minutes; minute++) {
    while (performance.now() - began < minute * 60_000) {
      const due = Math.floor(((performance.now() - began) / 1000) * rate) + 1;
      let lines = '';
      while (step < due) lines += record(++step);
      appendFileSync(file, lines);
      await (await fetch(`${url}/api/curves?runs=${id}&columns=loss,meanLoops,exitHistogram.1&points=400`)).text();
      await sleep(200);
    }
    readings.push({ minute, step, mib: residentMib(child.pid!) });
  }
  await end(child);
  await reading;
  return readings;
}

async function openStudio(place: string): Promise<{ child: ChildProcess; url: string }> {
  const args = [PROGRAM, 'studio', place, '--port', '0', '--json', '--quiet'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return { child, url: (JSON.parse(line) as { url: string }).url };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Work of all threads so far, which tells more than the clock where other programs run. A tick is 10 ms. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}
