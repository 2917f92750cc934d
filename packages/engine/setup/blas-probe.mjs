/**
 * A program: loads the addon that its argument names, checks libtorch's matrix products against plain ones and times one.
 * Prints `{"right": …, "gflops": …}`. A library that computes wrongly may also crash, so this runs in a process of its own.
 *
 * The factors are whole numbers so small that every partial sum is exact: a right product agrees to the last bit, in whatever
 * order a kernel sums. Only then are broken fractions tried too, within the bound of rounding.
 */
import { createRequire } from 'node:module';
import { cpus } from 'node:os';

/** Rows, inner length, columns: single ones, odd ones, edges of the kernels' tiles and blocks. */
const SHAPES = [
  [1, 1, 1],
  [7, 5, 3],
  [33, 65, 17],
  [1, 300, 129],
  [64, 64, 64],
  [129, 257, 70],
  [200, 513, 96],
];
const TIMED = 512;
const RUNS = 8;

const native = createRequire(import.meta.url)(process.argv[2] ?? '');
const [mm, t] = [native.resolve('aten::mm', ''), native.resolve('aten::t', '')];

/** @returns {() => number} a sequence in [0, 1) without a pattern that a kernel's stride could meet */
function numbers() {
  let state = 12345;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
}

/** @typedef {Float32Array | Float64Array} Floats */
/** @typedef {{ values: Floats, rows: number, columns: number }} Matrix */

/** @type {(a: Matrix, b: Matrix, factor: (x: number) => number) => Float64Array} */
function plainProduct(a, b, factor) {
  const n = b.columns;
  const c = new Float64Array(a.rows * n);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.columns; j++) {
      const x = factor(a.values[i * a.columns + j] ?? 0);
      for (let l = 0; l < n; l++) c[i * n + l] = (c[i * n + l] ?? 0) + x * factor(b.values[j * n + l] ?? 0);
    }
  return c;
}

/** @param {Matrix} matrix @returns {Matrix} */
function transpose({ values, rows, columns }) {
  const turned = values.slice();
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = values[i * columns + j] ?? 0;
  return { values: turned, rows: columns, columns: rows };
}

/** @param {Matrix} matrix @returns {number} a tensor's handle */
function tensor({ values, rows, columns }) {
  const dtype = values instanceof Float32Array ? 'float32' : 'float64';
  return native.fromBytes(values, dtype, [rows, columns], dtype, 'cpu');
}

/** @type {(a: Matrix, b: Matrix, turned: [boolean, boolean]) => Float64Array} libtorch's, of factors that lie as they are or turned */
function product(a, b, turned) {
  const factors = [a, b].map((matrix, i) => (turned[i] ? native.call(t, tensor(transpose(matrix))) : tensor(matrix)));
  const into = new Float64Array(a.rows * b.columns);
  native.readNumbers(native.call(mm, ...factors), into);
  return into;
}

/** @type {[boolean, boolean][]} */
const LAYOUTS = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
];

/** @param {typeof Float32Array | typeof Float64Array} Format @param {boolean} whole */
function allRight(Format, whole) {
  const next = numbers();
  const draw = () => (whole ? Math.floor(next() * 17) - 8 : next() * 2 - 1);
  const unit = Format === Float32Array ? 2 ** -23 : 2 ** -52;
  /** @type {(rows: number, columns: number) => Matrix} */
  const random = (rows, columns) => ({
    values: new Format(Array.from({ length: rows * columns }, draw)),
    rows,
    columns,
  });
  return SHAPES.every(([m = 0, k = 0, n = 0]) => {
    const [a, b] = [random(m, k), random(k, n)];
    const want = plainProduct(a, b, (x) => x);
    const room = whole ? null : plainProduct(a, b, Math.abs);
    return [1, Math.max(2, cpus().length)].every((threads) => {
      native.setThreads(threads);
      return LAYOUTS.every((turned) =>
        product(a, b, turned).every((x, i) => Math.abs(x - (want[i] ?? 0)) <= (room?.[i] ?? 0) * k * unit),
      );
    });
  });
}

function gflops() {
  const x = new Float32Array(TIMED * TIMED).fill(0.5);
  const [a, b] = [0, 1].map(() => native.fromBytes(x, 'float32', [TIMED, TIMED], 'float32', 'cpu'));
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    native.call(mm, a, b);
    best = Math.min(best, performance.now() - started);
  }
  return (2 * TIMED ** 3) / best / 1e6;
}

const right = [Float32Array, Float64Array].every((Format) => allRight(Format, true) && allRight(Format, false));
native.setThreads(1);
process.stdout.write(`${JSON.stringify({ right, gflops: right ? gflops() : 0 })}\n`);
