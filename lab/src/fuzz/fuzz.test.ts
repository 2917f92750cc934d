import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { caseOf, smallest } from './case-of.js';
import { mutatedJson } from './mutate/json.js';
import { runCase } from './run-case.js';
import { Sandbox } from './sandbox.js';
import { fuzz } from './supervise.js';
import type { FuzzTarget } from './target.js';
import { type FaultyName, faulty } from './targets/faulty.js';
import { targetNames, targets } from './targets/index.js';

/** What is found among the first cases, with the number of the case. */
async function faultsAmong(target: FuzzTarget, cases: number): Promise<{ index: number; fault: string }[]> {
  using sandbox = new Sandbox();
  const faults: { index: number; fault: string }[] = [];
  for (let index = 0; index < cases; index++) {
    const verdict = await runCase(target, sandbox, caseOf(target, 0, index));
    if (!verdict.ok) faults.push({ index, fault: verdict.fault });
  }
  return faults;
}

describe('hostile files', () => {
  it.each(targetNames)('of %s give a result or one clear line', async (name) => {
    expect(await faultsAmong(await targets[name](), 200)).toEqual([]);
  });
});

describe('the fuzzer', () => {
  const inProcess: [FaultyName, RegExp][] = [
    ['plain-error', /^TypeError: a fault at \d+/],
    ['endless-message', /its message has 5000 characters/],
    ['looks-outside', /^asked for .*outside\.bin, outside of its folder$/],
    ['follows-a-link', /^asked for .*link\.bin, outside of its folder$/],
    ['leaks-a-tensor', /^1 tensors were left alive$/],
    ['changes-a-prototype', /^the prototype of all objects was changed$/],
  ];
  it.each(inProcess)('finds a reader that %s', async (name, fault) => {
    const target = faulty[name]();
    const found = await faultsAmong(target, 40);
    const wrong = Array.from({ length: 40 }, (_, i) => i).filter((i) => caseOf(target, 0, i)[0]![1][0]! >= 200);
    expect(found.length).toBe(wrong.length);
    expect(found.length).toBeGreaterThan(0);
    delete (Object.prototype as Record<string, unknown>).polluted;
    for (const { index, fault: text } of found) {
      expect(wrong).toContain(index);
      expect(text).toMatch(fault);
    }
  });

  it('finds one that takes memory', async () => {
    const [found] = await faultsAmong(faulty['takes-memory'](), 1);
    expect(found!.fault).toMatch(/memory grew by \d+ MB for 1 bytes of input/);
  });

  it.each([
    ['dies', /^the process died \(SIGABRT\)/],
    ['stands-still', /^no end after 0\.3 s of processor time$/],
  ] as const)('goes on after one that %s', async (target, fault) => {
    const [from, to] = [1, 7];
    const wrong = [2, 5, 6];
    expect([1, 2, 3, 4, 5, 6].filter((i) => caseOf(faulty[target](), 0, i)[0]![1][0]! >= 200)).toEqual(wrong);
    const { findings } = await fuzz({ target, seed: 0, from, to, patience: 0.3 });
    expect(findings.map(({ index }) => index)).toEqual(wrong);
    for (const finding of findings) expect(finding.fault).toMatch(fault);
  });

  it('makes the same case again, and smaller ones of it that still fail', async () => {
    const target = faulty['plain-error']();
    const index = (await faultsAmong(target, 40))[0]!.index;
    expect(caseOf(target, 0, index)).toEqual(caseOf(target, 0, index));
    const files = await smallest(target, 0, index, async ([file]) => file![1][0]! >= 200);
    expect(files[0]![1][0]).toBe(200);
  });

  it('leaves what it watches as it was', () => {
    const before = [readFileSync, statSync, existsSync];
    const sandbox = new Sandbox();
    const { folder } = sandbox;
    sandbox.fill([['a/b', Uint8Array.of(1)]]);
    expect(existsSync(join(folder, 'a/b'))).toBe(true);
    sandbox.fill([['c', Uint8Array.of(1)]]);
    expect(existsSync(join(folder, 'a/b'))).toBe(false);
    sandbox[Symbol.dispose]();
    expect(existsSync(folder)).toBe(false);
    expect([readFileSync, statSync, existsSync]).toEqual(before);
  });

  it('makes JSON that mostly parses and always differs from the honest one', () => {
    const honest = { a: [1, 2, { b: 'c' }], d: null };
    const texts = fc.sample(mutatedJson(honest), 300).map((bytes) => Buffer.from(bytes).toString());
    const parses = texts.filter((text) => {
      try {
        return JSON.parse(text) !== undefined;
      } catch {
        return false;
      }
    });
    expect(parses.length).toBeGreaterThan(150);
    expect(parses.length).toBeLessThan(300);
    expect(new Set(texts).size).toBeGreaterThan(250);
  });
});
