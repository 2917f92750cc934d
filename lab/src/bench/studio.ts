#!/usr/bin/env node
/**
 * `npm run bench:studio`: how long the studio takes to open many long runs, and whether its memory stays flat while a fast run goes on. A
 * table first; the last line is one JSON object. Medians; state the processor beside them.
 *
 * Opening is counted from the start of the process: to the list (`listed`), to the loss of the six runs that the page chooses first, from
 * every step (`six`), and to that of all runs (`all`). `first` has only the metrics to read; `kept` finds what an earlier studio kept of
 * them; `own` finds the digests that runs keep themselves.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from '@commander-js/extra-typings';
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import { integer } from 'looprpt/internal/cli/values.js';
import { DIGEST_FILE } from 'looprpt/internal/train/metrics/thinned/digest.js';
import { ThinnedLog } from 'looprpt/internal/train/metrics/thinned/thinned-log.js';
import { findBrowser, openBrowser } from '../../../packages/looprpt/test-support/dist/serve/browser.js';

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof openBrowser>>['newPage']>>;

/** Files that differ; the other runs are links to them, which costs the studio as much and the disk less. */
const DISTINCT = 8;
const PIECE = 500;
/** Runs that the page chooses. */
const SHOWN_FIRST = 6;
const PROGRAM = join(dirname(createRequire(import.meta.url).resolve('looprpt/package.json')), 'bin/looprpt.js');

const {
  runs,
  steps,
  minutes,
  rate,
  opening,
  page: wantsPage,
} = new Command('bench:studio')
  .description('Times the studio on synthetic runs, then measures its memory over a live one.')
  .option('--runs <n>', 'runs', integer(1), 200)
  .option('--steps <n>', 'steps of each', integer(1), 20_000)
  .option('--no-opening', 'memory alone')
  .option('--minutes <n>', 'of the live run; 0 leaves it out', integer(0), 10)
  .option('--rate <n>', 'steps a second of the live run', integer(1), 100)
  .option('--page', 'the memory of the page in a Chromium too, CHROME_PATH or one in the search path')
  .parse()
  .opts();

type Spent = [wall: number, cpu: number];

const folder = mkdtempSync(join(tmpdir(), 'looprpt-bench-studio-'));
const cache = join(folder, 'cache');
try {
  const openings = opening ? await timeOpenings(join(folder, 'runs')) : {};
  const memory = minutes > 0 ? await measureMemory(join(folder, 'live')) : [];
  if (opening)
    process.stdout.write(
      `${renderTable(
        ['opening', 'to', 'ms', 'ms of CPU'],
        Object.entries(openings).flatMap(([name, times]) =>
          Object.entries(times).map(([to, [wall, cpu]]) => [name, to, Math.round(wall), Math.round(cpu)]),
        ),
      )}\n`,
    );
  if (memory.length > 0)
    process.stdout.write(
      `\n${renderTable(
        ['minute', 'steps', 'resident MiB', 'MiB of the page', 'its nodes'],
        memory.map(({ minute, step, mib, page }) => [
          ...[minute, step, Math.round(mib), page ? page.mib.toFixed(1) : '–', page?.nodes ?? '–'],
        ]),
      )}\n`,
    );
  process.stdout.write(`${JSON.stringify({ runs, steps, openings, memory })}\n`);
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

async function timeOpenings(place: string): Promise<Record<string, Record<string, Spent>>> {
  writeRuns(place);
  const first = await timeOpening(place);
  const kept = await timeOpening(place);
  writeDigests(place);
  rmSync(cache, { recursive: true, force: true });
  return { first, kept, own: await timeOpening(place) };
}

/** As training keeps them. */
function writeDigests(place: string): void {
  for (const [i, name] of readdirSync(place).sort().entries()) {
    if (i < DISTINCT) new ThinnedLog(join(place, name, 'metrics.jsonl')).close();
    else linkSync(join(place, readdirSync(place).sort()[i % DISTINCT]!, DIGEST_FILE), join(place, name, DIGEST_FILE));
  }
}

async function timeOpening(place: string): Promise<Record<string, Spent>> {
  const began = performance.now();
  const { child, url } = await openStudio(place);
  const since = (): Spent => [performance.now() - began, cpuMs(child.pid!)];
  const list = (await (await fetch(`${url}/api/runs`)).json()) as { runs: { id: string }[] };
  const listed = since();
  const ids = list.runs.map(({ id }) => id);
  const exactly = async (some: readonly string[]): Promise<void> => {
    const body = JSON.stringify({ runs: some, columns: ['loss'], points: 150 });
    for (;;) {
      const headers = { 'content-type': 'application/json' };
      const answer = await (await fetch(`${url}/api/curves`, { method: 'POST', headers, body })).json();
      if ((answer as Curves).runs.every(({ exact }) => exact)) return;
      await sleep(100);
    }
  };
  await exactly(ids.slice(0, SHOWN_FIRST));
  const six = since();
  await exactly(ids);
  const all = since();
  await end(child);
  return { listed, six, all };
}

interface Memory {
  minute: number;
  step: number;
  /** Resident memory of the studio's process. */
  mib: number;
  /** Of the page, after its garbage was collected. */
  page: PageMemory | null;
}

interface PageMemory {
  mib: number;
  nodes: number;
}

/** A reading a minute, while a run is written and its curves are asked for. */
async function measureMemory(place: string): Promise<Memory[]> {
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
  const executable = wantsPage ? findBrowser() : null;
  const browser = executable === null ? null : await openBrowser(executable);
  const tab = await browser?.newPage();
  await tab?.goto(url);
  const readings: Memory[] = [];
  const began = performance.now();
  let step = 1;
  for (let minute = 1; minute <= minutes; minute++) {
    while (performance.now() - began < minute * 60_000) {
      const due = Math.floor(((performance.now() - began) / 1000) * rate) + 1;
      let lines = '';
      while (step < due) lines += record(++step);
      appendFileSync(file, lines);
      await readAgain(`${url}/api/curves?runs=${id}&columns=loss,meanLoops,exitHistogram.1&points=400`);
      await sleep(200);
    }
    readings.push({ minute, step, mib: residentMib(child.pid!), page: tab ? await pageMemory(tab) : null });
  }
  await browser?.close();
  await end(child);
  await reading;
  return readings;
}

/** Once more where the server just closed a connection that had rested: on a busy machine the two cross. */
async function readAgain(url: string): Promise<string> {
  const read = async (): Promise<string> => (await fetch(url)).text();
  return read().catch(read);
}

async function pageMemory(tab: Page): Promise<PageMemory> {
  const session = await tab.context().newCDPSession(tab);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  const { nodes } = await session.send('Memory.getDOMCounters');
  await session.detach();
  return { mib: usedSize / 2 ** 20, nodes };
}

async function openStudio(place: string): Promise<{ child: ChildProcess; url: string }> {
  const args = [PROGRAM, 'studio', place, '--port', '0', '--json', '--quiet'];
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
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
