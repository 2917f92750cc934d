import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration } from './duration.js';
import type { TerminalStream } from './output.js';
import { progress } from './progress.js';
import { stages } from './stages.js';
import { renderTable } from './table.js';

function capture(isTTY: boolean): { stream: TerminalStream; text: () => string } {
  const through = new PassThrough();
  const chunks: Buffer[] = [];
  through.on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    stream: Object.assign(through, { isTTY, columns: 100 }),
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

test.each([
  [0.04, '0.0 s'],
  [9.96, '10 s'],
  [59.6, '1 min 00 s'],
  [185, '3 min 05 s'],
  [3599.7, '1 h 00 min'],
  [7620, '2 h 07 min'],
])('%d seconds read %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

describe('renderTable', () => {
  test('numbers to the right, words to the left', () => {
    const text = renderTable(
      ['model', 'accuracy', { title: 'Δ', align: 'right' }],
      [
        ['base', '31.02 %', undefined],
        ['LoopRPT', '9.5 %', '+1.20 ± 0.3'],
      ],
      { color: false, indent: 2 },
    );
    expect(text.split('\n')).toEqual([
      '  model    accuracy            Δ',
      '  ───────  ────────  ───────────',
      '  base      31.02 %',
      '  LoopRPT     9.5 %  +1.20 ± 0.3',
    ]);
  });

  test('colour changes no width', () => {
    const cell = fc.stringMatching(/^[a-zé0-9 %.]{0,12}$/).map((text) => text.trim());
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), (rows) => {
        const coloured = rows.map(([a, b]) => [`\x1b[31m${a}\x1b[39m`, b]);
        const plain = renderTable(['first', 'second'], rows, { color: false });
        const lines = (text: string) => text.split('\n').map((line) => line.trimEnd());
        expect(lines(stripVTControlCharacters(renderTable(['first', 'second'], coloured, { color: true })))).toEqual(
          lines(plain),
        );
      }),
    );
  });
});

describe('progress', () => {
  test('without a terminal: few lines, the last one whole', () => {
    const { stream, text } = capture(false);
    let clock = 0;
    const bar = progress('train', 1000, { stream, now: () => clock });
    for (let step = 1; step <= 1000; step++) {
      clock += 100;
      bar.update(step, `loss ${(3 - step / 1000).toFixed(2)}`);
      if (step === 500) bar.log('checkpoint written');
    }
    bar.done();
    bar.done();
    bar.update(3);
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(12);
    expect(lines[0]).toBe('train: 100/1000 (10 %)  1 min 30 s left  loss 2.90');
    expect(lines[4]).toBe('train: 500/1000 (50 %)  50 s left  loss 2.50');
    expect(lines[5]).toBe('checkpoint written');
    expect(lines.at(-1)).toBe('train: 1000/1000 (100 %)  in 1 min 40 s  loss 2.00');
  });

  test('a slow job still says something', () => {
    const { stream, text } = capture(false);
    let clock = 0;
    const bar = progress('train', 1000, { stream, now: () => clock });
    for (let step = 1; step <= 7; step++) {
      clock += 10_000;
      bar.update(step);
    }
    expect(text().trimEnd().split('\n')).toHaveLength(2);
  });

  test('on a terminal: redrawn in place, ended by a newline, lines above it kept', () => {
    const { stream, text } = capture(true);
    {
      using bar = progress('eval', 4, { stream });
      bar.update(3, 'accuracy 31 %');
      bar.log('a line');
      bar.update(4);
    }
    const seen = stripVTControlCharacters(text());
    expect(seen).toContain('a line\n');
    expect(seen).toMatch(/eval .*75%\s+3\/4/);
    expect(seen).toMatch(/100%\s+4\/4[^\n]*\n$/);
  });

  test('quiet prints nothing', () => {
    const { stream, text } = capture(true);
    const bar = progress('eval', 4, { stream, quiet: true });
    bar.update(2);
    bar.log('a line');
    bar.done();
    expect(text()).toBe('');
  });
});

describe('stages', () => {
  test('number the headings and time the work', async () => {
    const { stream, text } = capture(false);
    let clock = 0;
    const plan = stages(2, { stream, now: () => clock });
    const first = await plan.run('Base', () => {
      clock += 65_000;
      return 7;
    });
    await plan.run('LoopRPT', async (say) => {
      clock += 500;
      say('300 steps');
    });
    expect(first).toBe(7);
    expect(text()).toBe('1/2 Base\n    done in 1 min 05 s\n2/2 LoopRPT\n    done in 0.5 s: 300 steps\n');
  });

  test('an error passes through', async () => {
    const { stream, text } = capture(false);
    const failing = stages(1, { stream }).run('Base', () => {
      throw new Error('no data');
    });
    await expect(failing).rejects.toThrow('no data');
    expect(text()).toBe('1/1 Base\n');
  });
});
