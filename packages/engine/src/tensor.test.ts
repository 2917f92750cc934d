import { describe, expect, test } from 'vitest';
import { elementwise } from '../test-support/elementwise-table.js';
import { objects } from '../test-support/object-table.js';
import { reductions } from '../test-support/reduction-table.js';
import { selections } from '../test-support/selection-table.js';
import { Tensor } from './index.js';
import { TensorData } from './tensor-data.js';

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
