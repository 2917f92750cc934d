import { describe, expect, test } from 'vitest';
import { Tensor } from './index.js';
import { TensorData } from './tensor-data.js';
import { elementwise } from './testing/elementwise-table.js';
import { objects } from './testing/object-table.js';
import { reductions } from './testing/reduction-table.js';
import { selections } from './testing/selection-table.js';

const table: Record<string, () => void> = { ...elementwise, ...reductions, ...selections, ...objects };

describe('Tensor', () => {
  test('every member of Tensor and TensorData is in the table', () => {
    const members = [Tensor, TensorData]
      .flatMap((type) => Object.getOwnPropertyNames(type.prototype))
      .filter((name) => name !== 'constructor');
    expect(Object.keys(table).sort()).toEqual(members.sort());
  });

  test.each(Object.entries(table))('%s', (_, check) => {
    check();
  });
});
