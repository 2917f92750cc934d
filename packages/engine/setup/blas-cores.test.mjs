import { expect, test } from 'vitest';
import { coresFor, readProcessor, widerThan } from './blas-cores.mjs';

const AVX2 = ['sse4_2', 'avx', 'avx2', 'fma'];
const AVX512 = [...AVX2, 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'];

test('the first processor of /proc/cpuinfo', () => {
  const text =
    'processor\t: 0\nvendor_id\t: V\nmodel\t\t: 17\nmodel name\t: A B\nflags\t\t: fpu avx\n\nprocessor\t: 1\nflags\t\t: other\n';
  expect(readProcessor(text)).toEqual({ identity: 'V /  / 17 / A B / ', flags: ['fpu', 'avx'] });
  expect(readProcessor('')).toMatchObject({ flags: [] });
});

test('cores that a processor can run, widest first', () => {
  expect(coresFor(['sse4_2'])).toEqual([]);
  expect(coresFor(AVX2)).toEqual(['Haswell', 'Zen', 'Sandybridge']);
  expect(coresFor(AVX512).slice(0, 2)).toEqual(['SkylakeX', 'Haswell']);
  expect(coresFor([...AVX512, 'avx512_bf16'])[0]).toBe('Cooperlake');
});

test('wider than the one that the library took; none where it fits or is not known here', () => {
  expect(widerThan('Prescott', AVX2)).toEqual(['Haswell', 'Zen', 'Sandybridge']);
  expect(widerThan('Haswell', AVX512)).toEqual(['SkylakeX']);
  expect(widerThan('Zen', AVX2)).toEqual([]);
  expect(widerThan('SkylakeX', [...AVX512, 'avx512_bf16'])).toEqual([]);
  expect(widerThan('NeoverseN1', AVX512)).toEqual([]);
});
