import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineReport, inspectEngine } from '@looprpt/engine/setup';
import { afterEach, expect, it, onTestFinished, describe as suite, test, vi } from 'vitest';
import { z } from 'zod';
import { spawnCli } from '../../test-support/run-cli.js';
import { type Diagnosis, describe, doctorFacts, type Runtime } from './diagnosis.js';

const libtorch: EngineReport['libtorch'] = {
  root: '/opt/torch',
  version: '2.5.1',
  major: 2,
  minor: 5,
  includeDirs: [],
  libDir: '/opt/torch/lib',
  libs: [],
  cuda: true,
  distributed: { gloo: true, nccl: ['/opt/cuda'] },
  cxx11Abi: 1,
  how: 'python3',
  python: '/usr/bin/python3',
  stamp: '',
};
const built: EngineReport['build'] = {
  addon: 'build/x.node',
  libtorch,
  compiler: { command: ['c++'], version: 'c++ 12' },
  flags: [],
  instructions: [],
  builtAt: '2026-01-01T00:00:00Z',
  key: 'x',
};
const report = (change: Partial<EngineReport>): EngineReport => ({
  libtorch,
  notes: [],
  compiler: built.compiler,
  blas: 'unknown',
  blasFit: null,
  addon: 'ready',
  build: built,
  mend: [],
  ...change,
});
const running: Runtime = { version: '2.5.1', threads: 4, cudaDevices: 1, bfloat16: ['cpu', 'cuda'], float16: ['cuda'] };

suite('doctor', () => {
  const facts = (diagnosis: Diagnosis): Record<string, string> => Object.fromEntries(doctorFacts(diagnosis));

  it('says what is there', () => {
    const diagnosis = describe(report({}), undefined, running);
    expect(diagnosis).toMatchObject({ ok: true, threads: 4, missing: [], addon: { state: 'ready' } });
    expect(facts(diagnosis)).toMatchObject({
      libtorch: '2.5.1 at /opt/torch (in Python of /usr/bin/python3)',
      CUDA: '1 device',
      bfloat16: 'on cpu and cuda',
      float16: 'on cuda',
      distributed: 'gloo on the CPU, nccl on CUDA',
      verdict: 'ready',
    });
  });

  it('says what is missing and the command that mends it, before anything is built', () => {
    const mend = [{ what: 'libtorch is missing', command: 'apt-get install libtorch-dev' }];
    const bare = report({
      libtorch: null,
      addon: 'missing',
      build: null,
      compiler: null,
      mend,
      notes: ['torch 1.2: old'],
    });
    const diagnosis = describe(bare, 3, null);
    expect(diagnosis).toMatchObject({ ok: false, threads: 3, libtorch: null, runtime: null, missing: mend });
    expect(facts(diagnosis)).toMatchObject({
      libtorch: 'not found',
      addon: 'missing',
      missing: 'libtorch is missing: apt-get install libtorch-dev',
      'passed over': 'torch 1.2: old',
      verdict: 'not ready: run `npx looprpt setup`',
    });
  });

  it('tells which backends there are for several processes, and what nccl lacks', () => {
    const of = (distributed: NonNullable<typeof libtorch>['distributed'], cuda: boolean): string | undefined =>
      facts(describe(report({ libtorch: { ...libtorch!, distributed, cuda } }), 1, running)).distributed;
    expect(of({ gloo: true, nccl: null }, false)).toBe('gloo on the CPU');
    expect(of({ gloo: true, nccl: null }, true)).toMatch(/for nccl the headers .*nvidia-cuda-crt/);
    expect(of({ gloo: false, nccl: null }, true)).toContain('no distributed part');
  });

  it('tells a libtorch with CUDA and no device from one without CUDA', () => {
    const none = { ...running, cudaDevices: 0, bfloat16: [], float16: [] };
    expect(facts(describe(report({}), 1, none)).CUDA).toContain('finds no device');
    const plain = report({ libtorch: { ...libtorch, cuda: false }, blas: 'reference' });
    expect(facts(describe(plain, 1, none))).toMatchObject({ CUDA: 'this libtorch has no CUDA' });
    expect(facts(describe(plain, 1, none)).BLAS).toContain('slow reference BLAS');
  });

  it('says how the BLAS is run on this processor', () => {
    const blasOf = (blasFit: EngineReport['blasFit']): string | undefined =>
      facts(describe(report({ blas: 'optimised', blasFit }), 1, running)).BLAS;
    const fits = { verdict: 'fits', core: 'Haswell', setting: null, gflops: 70.4, before: null } as const;
    expect(blasOf(fits)).toBe('optimised, OpenBLAS as Haswell, 70 GFLOP/s a thread');
    const before = { core: 'Prescott', gflops: 20 };
    expect(blasOf({ ...fits, verdict: 'chosen', core: 'SkylakeX', setting: 'SkylakeX', before })).toBe(
      'optimised, OpenBLAS as SkylakeX, 70 GFLOP/s a thread: chosen by set-up, since OpenBLAS takes this processor for Prescott',
    );
    expect(blasOf({ ...fits, verdict: 'yours' })).toMatch(/as OPENBLAS_CORETYPE has it$/);
    expect(blasOf({ ...fits, verdict: 'old', core: 'Prescott' })).toMatch(
      /Prescott, .*: old kernels; a newer OpenBLAS is faster$/,
    );
    expect(blasOf(null)).toBe('optimised');
  });
});

test('doctor --json of the compiled program agrees with its exit code', async () => {
  const { code, stdout, stderr } = await spawnCli(['doctor', '--json', '--threads', '1'], tmpdir()).ended;
  expect(stderr).toBe('');
  const shape = z.object({
    ok: z.boolean(),
    node: z.string(),
    threads: z.literal(1),
    libtorch: z.object({ version: z.string(), path: z.string(), how: z.string() }).nullable(),
    addon: z.object({ state: z.enum(['ready', 'stale', 'missing']) }),
    distributed: z.object({ available: z.boolean(), note: z.string() }),
    missing: z.array(z.object({ what: z.string(), command: z.string() })),
  });
  expect(code).toBe(shape.parse(JSON.parse(stdout)).ok ? 0 : 1);
});

suite('doctor where something is broken: the line that mends it, no stack, exit code 1', () => {
  afterEach(() => void vi.unstubAllEnvs());

  test('LIBTORCH names nothing', async () => {
    vi.stubEnv('LIBTORCH', '/no/such/folder');
    const { code, stdout, stderr } = await spawnCli(['doctor'], tmpdir()).ended;
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^missing +LIBTORCH=\/no\/such\/folder is not a usable libtorch.*: unset LIBTORCH$/m);
    expect(code).toBe(1);
  });

  test('the addon does not load', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'looprpt-doctor-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'empty.node'), '');
    writeFileSync(join(folder, 'engine.json'), JSON.stringify({ ...inspectEngine().build, addon: 'empty.node' }));
    vi.stubEnv('LOOPRPT_ENGINE_BUILD', join(folder, 'engine.json'));
    const { code, stdout, stderr } = await spawnCli(['doctor'], tmpdir()).ended;
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^missing +the addon does not load: .*empty\.node.*: install what it names/m);
    expect(code).toBe(1);
  });
});
