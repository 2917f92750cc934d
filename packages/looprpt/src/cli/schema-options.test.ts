import { Command } from '@commander-js/extra-typings';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { serveSettings } from '../serve/settings.js';
import { optionsOf, settingsOf } from './schema-options.js';

const schema = z.strictObject({
  count: z.int().min(1).max(9).default(3).describe('how many'),
  share: z.number().positive().optional().describe('of what'),
  names: z.array(z.string()).default([]).describe('names'),
  on: z.boolean().default(true).describe('is on'),
  off: z.boolean().default(false).describe('is off'),
  group: z.strictObject({ kind: z.enum(['a', 'b']).default('a').describe('which') }).prefault({}),
});
const SPELLING = {
  count: '--many <n>',
  share: '--share <x>',
  names: '--name <name>',
  on: '--no-on',
  off: '--off',
  'group.kind': '--kind <k>',
};

function parse(...args: string[]): unknown {
  const options = optionsOf(schema, SPELLING, { on: 'turn it off' });
  const command = new Command('test').exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of options) command.addOption(option);
  return schema.parse(settingsOf(options, SPELLING, command.parse(args, { from: 'user' }).opts()));
}

describe('options from a schema', () => {
  it('give the settings that the schema gives by itself, and those that are named', () => {
    expect(parse()).toEqual(schema.parse({}));
    const args = ['--many', '5', '--share', '0.5', '--name', 'x', '--name', 'y', '--no-on', '--off', '--kind', 'b'];
    expect(parse(...args)).toEqual({
      count: 5,
      share: 0.5,
      names: ['x', 'y'],
      on: false,
      off: true,
      group: { kind: 'b' },
    });
  });

  it.each([
    ['--many', '0', /whole number from 1 to 9/],
    ['--many', '10', /whole number from 1 to 9/],
    ['--many', '2.5', /whole number/],
    ['--share', '0', /above 0/],
    ['--share', 'x', /must be a number/],
    ['--kind', 'c', /Allowed choices are a, b/],
  ])('%s %s is refused where it is parsed', (flag, value, message) => {
    expect(() => parse(flag, value)).toThrow(message);
  });

  it('have the words of the schema, or those of the negation', () => {
    const texts = optionsOf(schema, SPELLING, { on: 'turn it off' }).map(({ description }) => description);
    expect(texts).toEqual(['how many', 'of what', 'names; several times', 'turn it off', 'is off', 'which']);
  });

  it('are of settings that are there', () => {
    expect(() => optionsOf(schema, { cuont: '--many <n>' }, {})).toThrow(/cuont: the schema has no such setting/);
  });
});

it('every setting of a server says what it means', () => {
  const silent = Object.entries(serveSettings.shape).filter(
    ([key, { description }]) => !description && key !== 'cache',
  );
  expect(silent.map(([key]) => key)).toEqual([]);
});
