/**
 * The folder of a case, and a watch on every path that the file system is asked for while the case is read: a path outside
 * the folder, also through a link, is a finding.
 *
 * The watch replaces functions of `node:fs` in this process. Native code is not seen; here it maps files that JavaScript has
 * looked at under the same name first.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LINK, OUTSIDE } from './mutate/hostile.js';
import type { CaseFiles } from './target.js';

/** Their first argument is a path; those of the second list do not follow it into the file. */
const OPENING = [
  'openSync',
  'open',
  'readFileSync',
  'readFile',
  'createReadStream',
  'opendirSync',
  'readdirSync',
  'readdir',
] as const;
const LOOKING = ['statSync', 'stat', 'existsSync', 'accessSync', 'access'] as const;
const WRITING = [
  'writeFileSync',
  'writeFile',
  'mkdirSync',
  'mkdir',
  'renameSync',
  'rename',
  'rmSync',
  'rm',
  'unlinkSync',
] as const;

const plain = { ...fs };

export class Sandbox implements Disposable {
  readonly folder: string;
  readonly #root: string;
  #written = new Map<string, Uint8Array>();
  #watching = false;
  #strayed: string | null = null;
  readonly #restore: (() => void)[] = [];

  constructor() {
    this.#root = plain.realpathSync(plain.mkdtempSync(join(tmpdir(), 'looprpt-fuzz-')));
    this.folder = join(this.#root, 'case');
    plain.mkdirSync(this.folder);
    plain.writeFileSync(join(this.#root, OUTSIDE), 'outside');
    plain.symlinkSync(join(this.#root, OUTSIDE), join(this.folder, LINK));
    this.#watch(fs);
    this.#watch(fs.promises);
    syncBuiltinESMExports();
  }

  /** The folder with these files of a case and no others. */
  fill(files: CaseFiles): void {
    const wanted = new Map(files);
    for (const name of this.#written.keys()) if (!wanted.has(name)) plain.rmSync(join(this.folder, name));
    for (const [name, bytes] of files) {
      // What cases share is written once.
      if (this.#written.get(name) === bytes) continue;
      const path = join(this.folder, name);
      if (name.includes('/')) plain.mkdirSync(dirname(path), { recursive: true });
      plain.writeFileSync(path, bytes);
    }
    this.#written = wanted;
  }

  /** @returns the first path that left the folder, else null */
  async during(read: () => Promise<void> | void): Promise<string | null> {
    this.#strayed = null;
    this.#watching = true;
    try {
      await read();
    } finally {
      this.#watching = false;
    }
    return this.#strayed;
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restore) restore();
    syncBuiltinESMExports();
    plain.rmSync(this.#root, { recursive: true, force: true });
  }

  #watch(module: object): void {
    const functions = module as Record<string, ((...args: unknown[]) => unknown) | undefined>;
    for (const [names, opens] of [
      [OPENING, true],
      [LOOKING, false],
      [WRITING, true],
    ] as const)
      for (const name of names) {
        const before = functions[name];
        if (before === undefined) continue;
        this.#restore.push(() => {
          functions[name] = before;
        });
        functions[name] = (...args) => {
          if (this.#watching) this.#note(args[0], opens);
          return before.apply(module, args);
        };
      }
  }

  #note(given: unknown, opens: boolean): void {
    if (typeof given !== 'string' && !(given instanceof URL)) return;
    const path = resolve(given instanceof URL ? fileURLToPath(given) : given);
    if (!this.#isInside(path) || (opens && plain.existsSync(path) && !this.#isInside(plain.realpathSync(path))))
      this.#strayed ??= path;
  }

  #isInside(path: string): boolean {
    return path === this.folder || path.startsWith(this.folder + sep);
  }
}
