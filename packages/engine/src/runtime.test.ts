import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  backward,
  cudaDevices,
  engineBuild,
  getThreads,
  libtorchConfiguration,
  libtorchVersion,
  liveTensors,
  ones,
  scope,
  setThreads,
  synchronize,
  tensor,
} from './index.js';

describe('the process', () => {
  test('threads', () => {
    const before = getThreads();
    setThreads(2);
    expect(getThreads()).toBe(2);
    setThreads(before);
    expect(getThreads()).toBe(before);
    for (const wrong of [0, -1, 1.5, Number.NaN, 1e9]) expect(() => setThreads(wrong)).toThrow();
    expect(getThreads()).toBe(before);
  });

  test('versions and devices', () => {
    expect(libtorchVersion()).toMatch(/^\d+\.\d+\.\d+/);
    expect(libtorchVersion()).toContain(engineBuild().libtorch.version);
    expect(libtorchConfiguration()).toContain('PyTorch built with');
    expect(cudaDevices()).toBeGreaterThanOrEqual(0);
    synchronize('cpu');
    expect(() => synchronize('nowhere')).toThrow('nowhere');
  });

  test('denormal numbers: zeros in libtorch, untouched in JavaScript', () => {
    const small = 1e-310;
    scope(() => {
      const x = tensor(new Float64Array([small, 1]));
      expect(x.mul(1).toArray()).toEqual([0, 1]);
      x.requiresGrad = true;
      backward(x.sum());
      expect(x.toArray()).toEqual([small, 1]);
      expect(() => x.add(ones([3]))).toThrow();
    });
    expect([Number.MIN_VALUE > 0, small * 0.5 > 0, JSON.parse('1e-310')]).toEqual([true, true, 1e-310]);
  });
});

describe('engineBuild', () => {
  const own = process.env.LOOPRPT_ENGINE_BUILD;
  const folder = mkdtempSync(path.join(tmpdir(), 'looprpt-engine-'));
  afterEach(() => {
    if (own === undefined) delete process.env.LOOPRPT_ENGINE_BUILD;
    else process.env.LOOPRPT_ENGINE_BUILD = own;
    rmSync(folder, { recursive: true, force: true });
  });

  test('LOOPRPT_ENGINE_BUILD names another one', () => {
    const actual = engineBuild();
    expect(path.isAbsolute(actual.addon)).toBe(true);
    const other = path.join(folder, 'engine.json');
    process.env.LOOPRPT_ENGINE_BUILD = other;
    expect(engineBuild).toThrow(`LOOPRPT_ENGINE_BUILD names ${other}, which does not exist`);
    writeFileSync(other, JSON.stringify({ ...actual, addon: 'sub/other.node' }));
    expect(engineBuild()).toEqual({ ...actual, addon: path.join(folder, 'sub/other.node') });
    writeFileSync(other, JSON.stringify(actual));
    expect(engineBuild()).toEqual(actual);
  });
});

describe('worker threads', () => {
  /** The addon itself in a worker, with tensors, a buffer over one, a generator, a graph, and nothing released. */
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const engine = require(workerData.addon);
    const full = engine.resolve('aten::full', '');
    const x = engine.call(full, [2, 3], workerData.value, 'float32');
    engine.setRequiresGrad(x, true);
    const y = engine.call(engine.resolve('aten::sum', ''), x, null);
    engine.backward([y], [], false, false);
    globalThis.view = new Float32Array(engine.viewBytes(engine.gradientOf(x)));
    globalThis.generator = engine.newGenerator('cpu', 1);
    engine.setGradEnabled(false);
    parentPort.postMessage({ live: engine.liveTensors(), sum: engine.item(y), gradient: [...view] });
    if (workerData.stay) setInterval(() => {}, 1000);
  `;
  const start = (value: number, stay: boolean): Worker =>
    new Worker(source, { eval: true, workerData: { addon: engineBuild().addon, value, stay } });

  test('each has its own tensors, and its end frees them', async () => {
    const mine = ones([4]);
    await collectGarbage();
    const before = liveTensors();
    for (let round = 0; round < 3; round++) {
      const workers = [start(1, false), start(2, true)];
      const exits = workers.map((worker) => once(worker, 'exit'));
      const messages = await Promise.all(workers.map((worker) => once(worker, 'message')));
      expect(messages.map(([message]) => message as unknown)).toEqual(
        [1, 2].map((value) => ({ live: 3, sum: 6 * value, gradient: Array(6).fill(1) })),
      );
      expect(liveTensors()).toBe(before);
      await workers[1]!.terminate();
      expect((await Promise.all(exits)).map(([code]) => code as unknown)).toEqual([0, 1]);
    }
    expect(liveTensors()).toBe(before);
    expect(mine.toArray()).toEqual([1, 1, 1, 1]);
    mine.dispose();
  });
});
