/** The README's programs: each is whole, type-checks under strict, runs, and prints what its comments say. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, expect, test } from 'vitest';

const packageDir = fileURLToPath(new URL('../', import.meta.url));
const readme = readFileSync(path.join(packageDir, 'README.md'), 'utf8');
const programs = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, program]) => program!);

// Inside the package, so that they find it by its name.
mkdirSync(path.join(packageDir, 'build'), { recursive: true });
const folder = mkdtempSync(path.join(packageDir, 'build/readme-'));
afterAll(() => rmSync(folder, { recursive: true }));
const files = programs.map((program, i) => {
  const file = path.join(folder, `program-${i}.mts`);
  writeFileSync(file, program);
  return file;
});

/** What the program's output says, in JavaScript's own notation. */
function run(i: number): string {
  const { outputText } = ts.transpileModule(programs[i]!, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const file = path.join(folder, `program-${i}.mjs`);
  writeFileSync(file, outputText);
  return execFileSync(process.execPath, [file], { encoding: 'utf8' }).trimEnd();
}

test('they type-check', () => {
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
  expect(problems).toEqual([]);
});

test('the training loop has about 20 lines, and its loss falls to nearly nothing', () => {
  const lines = programs[0]!.split('\n').filter((line) => line.trim() !== '');
  expect(lines.length).toBeLessThan(30);
  const losses = [...run(0).matchAll(/^step \d+: loss (.*)$/gm)].map(([, loss]) => Number(loss));
  expect(losses.length).toBe(5);
  expect(losses[0]).toBeGreaterThan(0.3);
  expect(losses[4]).toBeLessThan(0.05);
});

test('ownership, operators and gradients print what is said beside them', () => {
  expect(programs.length).toBe(4);
  expect(run(1)).toBe('[ 2, 2 ] 12 2');
  const [roll, values, newer] = run(2).split('\n');
  expect(roll).toMatch(/^aten::roll\(Tensor self, (Sym)?[iI]nt\[1\] shifts, int\[1\] dims=\[\]\) -> Tensor$/);
  expect(values).toBe('[ [ 2, 3, 1 ], [ 4, 6, 5 ] ] [ 2, 5 ] [ 2, 1 ]');
  expect(newer).toMatch(/^(true|false)$/);
  expect(run(3)).toBe('[ 3, 12, 27 ] [ 6, 12, 18 ]');
});
