/** The results as Markdown. */
import type { Estimate } from './intervals.js';
import type { BaseResult, PolicyRow } from './run.js';

export function policyTable({ base, documents, tokens, rows }: BaseResult): string {
  const head = [
    `${base}: ${documents} held-out documents, ${tokens} counted tokens; differences are from the complete cache at the same threshold, with 95 % intervals`,
    '',
    '| τ | cache | loops | accuracy, % | difference | cross-entropy | difference | free answers right, % | difference |',
    '|--:|:--|--:|--:|:--|--:|:--|--:|:--|',
  ];
  return [...head, ...rows.map(line)].join('\n');
}

function line({ policy, threshold, text, answers }: PolicyRow): string {
  const cells = [
    threshold === null ? 'all loops' : String(threshold),
    policy,
    text.meanLoops.toFixed(2),
    (100 * text.accuracy).toFixed(1),
    shown(text.minusComplete?.accuracy, 100, 1),
    text.crossEntropy.toFixed(3),
    shown(text.minusComplete?.crossEntropy, 1, 3),
    (100 * answers.accuracy).toFixed(1),
    shown(answers.minusComplete?.accuracy, 100, 1),
  ];
  return `| ${cells.join(' | ')} |`;
}

function shown(estimate: Estimate | undefined, scale: number, digits: number): string {
  if (!estimate) return '';
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((x) => signed(scale * x, digits));
  return `${value} (${low} to ${high})`;
}

function signed(value: number, digits: number): string {
  const text = value.toFixed(digits).replace('-', '−');
  return value > 0 ? `+${text}` : text;
}
