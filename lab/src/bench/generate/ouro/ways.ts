/** Who is measured at Ouro's size: our formats, PyTorch and llama.cpp where they are at hand, each in a process of its own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quantisationOf } from 'looprpt/internal/checkpoint/quantisation.js';
import { quantiseModel } from 'looprpt/internal/checkpoint/quantise-model.js';
import type { BenchModel } from '../../cases.js';
import { findPeerNow } from '../../peer.js';
import { WorkerProcess } from '../../worker-process.js';
import { type Blocks, bitsOf, writeGguf } from './gguf.js';
import { writeRandomModel } from './shape.js';

export interface Way {
  name: string;
  side: 'ours' | 'pytorch' | 'llama.cpp';
  /** Of a weight as it is read, its share of a scale included. */
  bits: number;
  readsPrompts: boolean;
  start: () => WorkerProcess;
}

export interface Places {
  /** Where the models are written; what is there already is taken. */
  folder: string;
  /** A Python with PyTorch 2; null: leave it out. */
  python: string | null;
  /** A folder in which node-llama-cpp was installed; null: leave it out. */
  llama: string | null;
}

const here = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
/** PyTorch's own switch for large pages, which is off by default: its weights are read as fast as ours then. */
const LARGE_PAGES = { THP_MEM_ALLOC_ENABLE: '1' };
const PEER = fileURLToPath(new URL('../../../../peer/bench_generate.py', import.meta.url));

/** Writes what is missing and names the ways. @param say told of what takes time, and of what is left out */
export async function waysOf(
  of: BenchModel,
  { folder, python, llama }: Places,
  threads: number,
  say: (line: string) => void,
): Promise<Way[]> {
  const bfloat = join(folder, 'bfloat16');
  if (!existsSync(bfloat)) {
    say(`writing ${of.name} with random weights`);
    writeRandomModel(of, bfloat);
  }
  const ours = (name: string, dir: string, bits: number): Way => ({
    name: `ours, ${name}`,
    side: 'ours',
    bits,
    readsPrompts: true,
    start: () =>
      new WorkerProcess([process.execPath, here('ours-worker')], { name, threads, argv: [dir, String(threads)] }),
  });
  const ways = [ours('bfloat16', bfloat, 16)];
  for (const format of ['int8', 'int4'] as const) {
    const quantisation = quantisationOf(format);
    const dir = join(folder, `${format}-${quantisation.group}`);
    if (!existsSync(dir)) {
      say(`making ${format}`);
      await quantiseModel(bfloat, dir, quantisation);
    }
    ways.push(ours(format, dir, quantisation.bits + 16 / quantisation.group));
  }
  const peer = python === null ? null : findPeerNow([python]);
  if (peer) {
    const [command] = peer.program;
    const argv = ['--worker', '--model', bfloat, '--dtype', 'bfloat16', '--threads', String(threads)];
    ways.push({
      name: `PyTorch ${peer.version}, bfloat16`,
      side: 'pytorch',
      bits: 16,
      readsPrompts: true,
      start: () => new WorkerProcess([command, PEER], { name: 'PyTorch', threads, argv, environment: LARGE_PAGES }),
    });
  } else say('PyTorch 2 is left out: name a Python that has it in LOOPRPT_PEER_PYTHON');
  if (llama === null) say('llama.cpp is left out: name a folder with node-llama-cpp in LOOPRPT_PEER_LLAMA');
  for (const blocks of llama === null ? [] : (['Q8_0', 'Q4_0'] as const))
    ways.push(llamaWay(of, folder, llama!, blocks, threads, say));
  return ways;
}

function llamaWay(
  of: BenchModel,
  folder: string,
  packages: string,
  blocks: Blocks,
  threads: number,
  say: (line: string) => void,
): Way {
  const file = join(folder, `${blocks}.gguf`);
  if (!existsSync(file)) {
    say(`writing the same layers for llama.cpp, ${blocks}`);
    writeGguf(file, blocks, of);
  }
  const name = `llama.cpp, ${blocks}`;
  const argv = [packages, file, String(threads)];
  return {
    name,
    side: 'llama.cpp',
    bits: bitsOf(blocks),
    readsPrompts: false,
    start: () => new WorkerProcess([process.execPath, here('llama-worker')], { name, threads, argv }),
  };
}
