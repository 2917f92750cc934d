/** Two networks of their own on this machine, joined by one cable that a test can pull; Linux with the right to make them. */
import { spawnSync } from 'node:child_process';

const ip = (...args: string[]): boolean => spawnSync('ip', args, { stdio: 'ignore' }).status === 0;

/** Why there can be none; null where they can be made. */
export function noNamespaces(): string | null {
  if (process.platform !== 'linux') return 'only Linux has network namespaces';
  if (spawnSync('ip', ['-V'], { stdio: 'ignore' }).error) return 'there is no `ip` program';
  const name = `looprpt-try-${process.pid}`;
  if (!ip('netns', 'add', name)) return 'this user may not make network namespaces';
  ip('netns', 'del', name);
  return null;
}

export class TwoNetworks implements Disposable {
  readonly #id = `lr${process.pid % 100_000}`;

  constructor() {
    const { names } = this;
    for (const name of names) this.#must('netns', 'add', name);
    this.#must('link', 'add', this.#cable(0), 'type', 'veth', 'peer', 'name', this.#cable(1));
    for (const [i, name] of names.entries()) {
      this.#must('link', 'set', this.#cable(i), 'netns', name);
      this.#must('-n', name, 'addr', 'add', `${this.address(i)}/24`, 'dev', this.#cable(i));
      this.#must('-n', name, 'link', 'set', this.#cable(i), 'up');
      this.#must('-n', name, 'link', 'set', 'lo', 'up');
    }
  }

  get names(): [string, string] {
    return [`${this.#id}-0`, `${this.#id}-1`];
  }

  address(i: number): string {
    return `10.213.77.${i + 1}`;
  }

  #cable(i: number): string {
    return `${this.#id}v${i}`;
  }

  #must(...args: string[]): void {
    if (!ip(...args)) throw new Error(`ip ${args.join(' ')} failed`);
  }

  /** The command run inside network `i`. */
  inside(i: number, command: readonly string[]): [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.names[i]!, ...command];
  }

  pullCable(): void {
    this.#must('-n', this.names[0], 'link', 'set', this.#cable(0), 'down');
  }

  [Symbol.dispose](): void {
    for (const name of this.names) ip('netns', 'del', name);
  }
}
