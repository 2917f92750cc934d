/**
 * `looprpt launch`: the ranks of this machine, and all of them again when one fails, as often as was asked for. What a rank does
 * with its environment, and where it goes on from after a restart, is its own business.
 *
 * Invariant: a failed attempt has ended completely before the next one begins. Each attempt has a port of its own, so that ranks
 * of the new one never meet the store of the old one on another machine.
 */
import { fileURLToPath } from 'node:url';
import type { Cli } from '../../base/terminal/cli.js';
import { type Placement, rankEnvironment } from './environment.js';
import { freePort } from './free-port.js';
import { type RankFailure, type RankProgram, Ranks } from './ranks.js';

export interface LaunchOptions {
  /** What to run; a command of looprpt where it begins with the name of one. */
  command: readonly string[];
  nproc: number;
  maxRestarts: number;
  graceSeconds: number;
  nnodes: number;
  nodeRank: number;
  masterAddress: string;
  /** Of the first attempt; the n-th restart takes the n-th port behind it. Null: a free one, for one machine. */
  masterPort: number | null;
  environment: NodeJS.ProcessEnv;
  quiet: boolean;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @returns the exit code: 0, or that of the rank that failed first; 130 where the user interrupted and all ranks agreed */
export async function launch(options: LaunchOptions, { stdout, stderr }: Cli): Promise<number> {
  const say = (line: string): void => {
    if (!options.quiet) stderr.write(`launch: ${line}\n`);
  };
  let interrupted = false;
  let ranks: Ranks | null = null;
  const onSignal = (name: NodeJS.Signals): void => {
    interrupted = true;
    ranks?.interrupt(name);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    for (let restart = 0; ; restart++) {
      ranks = new Ranks(await programsOf(options, restart), { stdout, stderr }, options.graceSeconds);
      const failure = await ranks.ended();
      if (failure === null) return interrupted ? 130 : 0;
      if (interrupted) return failure.exitCode;
      describe(failure, (line) => stderr.write(`launch: ${line}\n`));
      if (restart === options.maxRestarts) return failure.exitCode;
      say(`starting all ${options.nproc} ranks again (${restart + 1} of ${options.maxRestarts})`);
    }
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}

function describe({ rank, reason, lastLines }: RankFailure, say: (line: string) => void): void {
  const words = lastLines.filter((line) => line.trim() !== '');
  say(`rank ${rank} ${reason}${words.length > 0 ? '; the last that it said:' : ''}`);
  for (const line of words) say(`  ${line}`);
}

async function programsOf(options: LaunchOptions, restart: number): Promise<RankProgram[]> {
  const { nproc, nnodes, nodeRank, masterAddress, masterPort, maxRestarts, environment } = options;
  const [command, ...args] = programOf(options.command);
  const placement: Placement = {
    nodes: nnodes,
    nodeRank,
    ranksPerNode: nproc,
    masterAddress,
    masterPort: masterPort === null ? await freePort() : masterPort + restart,
  };
  return Array.from({ length: nproc }, (_, localRank) => ({
    rank: nodeRank * nproc + localRank,
    command,
    args,
    environment: rankEnvironment(environment, placement, { restart, maxRestarts }, localRank),
  }));
}

const OWN_COMMANDS = ['pretrain', 'train', 'eval'];
const OWN_PROGRAM = fileURLToPath(new URL('../../../bin/looprpt.js', import.meta.url));

/** `train …` alone means this very looprpt. */
function programOf(words: readonly string[]): [string, ...string[]] {
  const [first = '', ...rest] = words;
  return OWN_COMMANDS.includes(first) ? [process.execPath, OWN_PROGRAM, first, ...rest] : [first, ...rest];
}
