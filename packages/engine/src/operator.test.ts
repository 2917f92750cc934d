import { describe, expect, test } from 'vitest';
import {
  arange,
  Generator,
  hasOperator,
  liveTensors,
  op,
  operatorNames,
  schema,
  scope,
  type Tensor,
  tensor,
  zeros,
} from './index.js';

const x23 = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

/** Runs in a scope and returns only what is no tensor. */
const value = <T>(body: () => T): T => scope(body);

describe('operators by name', () => {
  test('names and schemas', () => {
    expect(hasOperator('aten::add.Tensor')).toBe(true);
    expect(hasOperator('aten::add')).toBe(false);
    expect(operatorNames().size).toBeGreaterThan(2000);
    expect(schema('aten::add.Tensor')).toBe('aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor');
    expect(op('aten::relu')).toBe(op('aten::relu'));
  });

  test('every operator can be described', () => {
    for (const name of operatorNames()) expect(schema(name)).toContain(name);
  });
});

describe('arguments', () => {
  test('by position, by name, left out', () => {
    const add = op('aten::add.Tensor');
    const got = value(() => {
      const [a, b] = [tensor([1, 2]), tensor([10, 20])];
      return [add(a, b), add(a, b, 2), add(a, b, { alpha: 2 }), add({ other: b, self: a }), add(a, b, undefined)].map(
        (x) => x.toArray(),
      );
    });
    expect(got).toEqual([
      [11, 22],
      [21, 42],
      [21, 42],
      [11, 22],
      [11, 22],
    ]);
  });

  test('null and left-out optionals', () => {
    value(() => {
      const clamp = op('aten::clamp');
      expect(clamp(tensor([-2, 0, 2]), null, 1).toArray()).toEqual([-2, 0, 1]);
      expect(clamp(tensor([-2, 0, 2]), { max: 1 }).toArray()).toEqual([-2, 0, 1]);
      expect(op('aten::linear')(tensor([[1, 2]]), tensor([[3, 4]])).toArray()).toEqual([[11]]);
      expect(op('aten::linear')(tensor([[1, 2]]), tensor([[3, 4]]), null).toArray()).toEqual([[11]]);
    });
  });

  test('lists of integers, also from one number', () => {
    value(() => {
      const pool = op('aten::max_pool2d');
      const x = arange(0, 16, { dtype: 'float32' }).reshape(1, 1, 4, 4);
      expect(pool(x, [2, 2]).toArray()).toEqual([
        [
          [
            [5, 7],
            [13, 15],
          ],
        ],
      ]);
      expect(pool(x, 2).toArray()).toEqual(pool(x, [2, 2]).toArray());
      expect(pool(x, 2, 1, { padding: 1 }).shape).toEqual([1, 1, 5, 5]);
      const total = op('aten::sum.dim_IntList');
      expect(total(x23(), 1).toArray()).toEqual(total(x23(), [1]).toArray());
      expect(total(x23(), null).toArray()).toBe(21);
    });
  });

  test('lists of tensors, optional ones too', () => {
    value(() => {
      expect(op('aten::cat')([tensor([1]), tensor([2, 3])]).toArray()).toEqual([1, 2, 3]);
      const columns = tensor([2, 0], { dtype: 'int64' });
      expect(op('aten::index.Tensor')(x23(), [null, columns]).toArray()).toEqual([
        [3, 1],
        [6, 4],
      ]);
      expect(op('aten::index.Tensor')(x23(), [tensor([1], { dtype: 'int64' })]).toArray()).toEqual([[4, 5, 6]]);
      expect(op('aten::cat')([tensor([1]), tensor([2])], { dim: -1 }).toArray()).toEqual([1, 2]);
    });
  });

  test('lists of scalars, floats and booleans', () => {
    value(() => {
      const scaled = op('aten::_foreach_mul.ScalarList')<Tensor[]>([tensor([1, 2]), tensor([3])], [0.5, 2]);
      expect(scaled.map((x) => x.toArray())).toEqual([[0.5, 1], [6]]);
      const wide = op('aten::upsample_nearest1d.vec')(tensor([[[1, 2]]]), null, [2]);
      expect(wide.toArray()).toEqual([[[1, 1, 2, 2]]]);
      const [grid] = [op('aten::flip')(x23(), [0, 1])];
      expect(grid.toArray()).toEqual([
        [6, 5, 4],
        [3, 2, 1],
      ]);
    });
  });

  test('dtypes, devices, layouts, memory formats, strings', () => {
    value(() => {
      expect(op('aten::arange')(3, { dtype: 'float64', device: 'cpu', layout: 'strided' }).dtype).toBe('float64');
      const empty = op('aten::empty.memory_format');
      expect(empty([2, 3, 4, 4], { memory_format: 'channels_last' }).isContiguous).toBe(false);
      expect(empty([2, 3, 4, 4], { memory_format: 'contiguous_format' }).isContiguous).toBe(true);
      expect(op('aten::div.Tensor_mode')(tensor([-7]), tensor([2]), { rounding_mode: 'floor' }).item()).toBe(-4);
      expect(op('aten::to.dtype')(x23(), 'bool').dtype).toBe('bool');
    });
  });

  test('numbers for scalars: whole ones are integers', () => {
    value(() => {
      const add = op('aten::add.Scalar');
      const ints = tensor([1, 2], { dtype: 'int64' });
      expect([add(ints, 2).dtype, add(ints, 2.5).dtype, add(ints, true).dtype]).toEqual(['int64', 'float32', 'int64']);
      expect(op('aten::full')([1], 2n ** 62n + 1n, { dtype: 'int64' }).toTyped()).toEqual(
        new BigInt64Array([2n ** 62n + 1n]),
      );
      const full = (x: number) => op('aten::full')([], x, { dtype: 'float64' }).item();
      expect([full(-0), full(Number.NaN), full(Number.POSITIVE_INFINITY), full(2 ** 60)]).toEqual([
        -0,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        2 ** 60,
      ]);
    });
  });

  test('generators', () => {
    value(() => {
      const draw = () => op('aten::randn.generator')([3], { generator: new Generator(4) }).toArray();
      expect(draw()).toEqual(draw());
    });
  });
});

describe('results', () => {
  test('in place: the argument itself, by position or by name', () => {
    value(() => {
      const x = x23();
      expect(op('aten::mul_.Scalar')(x, 2)).toBe(x);
      expect(op('aten::mul_.Scalar')({ self: x, other: 0.5 })).toBe(x);
      expect(x.toArray()).toEqual([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      const out = zeros([0]);
      expect(op('aten::add.out')(x, x, { out })).toBe(out);
      expect(out.toArray()).toEqual([
        [2, 4, 6],
        [8, 10, 12],
      ]);
    });
  });

  test('several: an array; out arguments among them', () => {
    value(() => {
      const [values, indices] = op('aten::max.dim')<[Tensor, Tensor]>(x23(), 1);
      expect([values.toArray(), indices.toArray()]).toEqual([
        [3, 6],
        [2, 2],
      ]);
      const [max, maxValues] = [zeros([0]), zeros([0], { dtype: 'int64' })];
      const returned = op('aten::max.dim_max')<[Tensor, Tensor]>(x23(), 0, { max, max_values: maxValues });
      expect([returned[0] === max, returned[1] === maxValues, max.toArray(), maxValues.toArray()]).toEqual([
        true,
        true,
        [4, 5, 6],
        [1, 1, 1],
      ]);
    });
  });

  test('undefined tensors are null', () => {
    value(() => {
      const [output, mean, deviation] = op('aten::native_layer_norm')<Tensor[]>(x23(), [3], null, null, 1e-5);
      const backward = op('aten::native_layer_norm_backward')<(Tensor | null)[]>;
      const got = backward(output!, x23(), [3], mean!, deviation!, null, null, [true, false, false]);
      expect([got[0]!.shape, got[1], got[2]]).toEqual([[2, 3], null, null]);
    });
  });

  test('lists, scalars, booleans, nothing', () => {
    value(() => {
      expect(op('aten::split.Tensor')<Tensor[]>(x23(), 2, 1).map((x) => x.shape)).toEqual([
        [2, 2],
        [2, 1],
      ]);
      expect(op('aten::_local_scalar_dense')<number>(tensor([2.5]))).toBe(2.5);
      expect(op('aten::is_floating_point')<boolean>(x23())).toBe(true);
      const list = [tensor([1]), tensor([2, 3])];
      expect(op('aten::_foreach_add_.Scalar')<undefined>(list, 1)).toBe(undefined);
      expect(list.map((x) => x.toArray())).toEqual([[2], [3, 4]]);
    });
  });
});

describe('errors are one clear line', () => {
  const message = (body: () => unknown): string => {
    const before = liveTensors();
    try {
      scope(body);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      expect(liveTensors()).toBe(before);
      const text = (error as Error).message;
      expect(text).not.toMatch(/Exception raised from|\.cpp:|frame #|\n/);
      return text;
    }
    return 'no error';
  };
  const add = op('aten::add.Tensor');

  test('from libtorch', () => {
    expect(message(() => add(zeros([2]), zeros([3])))).toBe(
      'The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0',
    );
    expect(message(() => zeros([2, 3]).matmul(zeros([2, 3])))).toMatch(
      /^(mm: )?mat1 and mat2 shapes cannot be multiplied \(2x3 and 2x3\)$/, // newer versions name the operator
    );
    expect(message(() => x23().reshape(4))).toBe("shape '[4]' is invalid for input of size 6");
    expect(message(() => op('aten::q_scale')(x23()))).toMatch(/^Could not run 'aten::q_scale'.*\]\.$/);
    expect(message(() => op('aten::to.device')(x23(), 'nowhere', 'float32'))).toMatch(/argument 'device'.*nowhere/);
  });

  test('unknown operators', () => {
    expect(message(() => op('aten::nonsense'))).toBe('libtorch has no operator aten::nonsense');
    expect(message(() => op('nonsense'))).toBe('libtorch has no operator nonsense');
    expect(message(() => op('aten::rsub'))).toMatch(
      /^libtorch has no operator aten::rsub; there is aten::rsub\.\w+, aten::rsub\.\w+/,
    );
    expect(message(() => schema('aten::add.Nonsense'))).toContain(
      'libtorch has no operator aten::add.Nonsense; there is ',
    );
  });

  test('missing, surplus and misnamed arguments', () => {
    expect(message(() => add(x23()))).toBe("aten::add.Tensor: argument 'other' is missing");
    expect(message(() => add(x23(), x23(), 1, 1))).toBe('aten::add.Tensor takes 3 arguments, 4 were given');
    expect(message(() => add(x23(), x23(), { beta: 1 }))).toBe(
      "aten::add.Tensor: argument 'beta': there is none of that name; the arguments are self, other, alpha",
    );
    expect(message(() => add(x23(), x23(), { other: x23() }))).toContain("argument 'other': it is given twice");
  });

  test('values of the wrong kind', () => {
    const wrong: [() => unknown, RegExp][] = [
      [() => add(x23(), 3), /^aten::add\.Tensor: argument 'other': expected a tensor$/],
      [() => add(x23(), [x23()]), /expected a tensor/],
      [() => add(null, x23()), /argument 'self' \(Tensor\): a tensor was expected/],
      [() => op('aten::add.Scalar')(x23(), x23()), /argument 'other': expected neither a tensor nor a generator/],
      [() => op('aten::add.Scalar')(x23(), 'two'), /argument 'other' \(Scalar\): a number was expected/],
      [() => op('aten::cat')(x23()), /argument 'tensors': expected a list of tensors/],
      [() => op('aten::cat')([x23(), 1]), /argument 'tensors': expected a list of tensors/],
      [() => op('aten::sum.dim_IntList')(x23(), [x23()]), /argument 'dim': expected neither/],
      [() => op('aten::sum.dim_IntList')(x23(), [0.5]), /argument 'dim'.*: an integer was expected/],
      [() => op('aten::select.int')(x23(), 0, Number.POSITIVE_INFINITY), /argument 'index'.*an integer was expected/],
      [() => op('aten::select.int')(x23(), 0, 'float32'), /argument 'index'.*an integer was expected/],
      [() => op('aten::select.int')(x23(), 0, 2n ** 70n), /an integer of 64 bits was expected/],
      [() => op('aten::arange')(3, { dtype: 'float31' }), /argument 'dtype'.*unknown dtype 'float31'/],
      [() => op('aten::arange')(3, { layout: 'float32' }), /argument 'layout'.*unknown layout 'float32'/],
      [() => op('aten::empty.memory_format')([1], { memory_format: 'x' }), /unknown memory format 'x'/],
      [() => op('aten::gelu')(x23(), 3), /argument 'approximate'.*a string was expected/],
      [() => op('aten::randn.generator')([1], 5), /argument 'generator': expected a Generator/],
      [() => op('aten::randn.generator')([1], x23()), /argument 'generator': expected a Generator/],
    ];
    for (const [body, expected] of wrong) expect(message(body)).toMatch(expected);
  });

  test('what was disposed of', () => {
    const x = x23();
    x.dispose();
    expect(message(() => add(x, x23()))).toBe(
      "aten::add.Tensor: argument 'self' (Tensor): this tensor was already disposed of",
    );
    expect(message(() => x.exp())).toMatch(/already disposed of/);
    expect(message(() => x.shape)).toBe('this tensor was already disposed of');
    const generator = new Generator(1);
    generator.dispose();
    expect(message(() => op('aten::randn.generator')([1], generator))).toMatch(
      /this generator was already disposed of/,
    );
  });
});
