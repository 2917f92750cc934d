/** What a model said of one token, loop by loop: its likeliest words, the token's log-probability, entropy and gate. */
import { make } from '../../../serve/page/client/elements.js';
import { paint } from '../../../serve/page/client/loop-colours.js';
import type { LoopSeen, TextSeen } from '../../models/protocol.js';
import { exitLoop } from './seen.js';
import { row, table } from './table.js';

export function tokenDetail({ model, tokens, loops: all }: TextSeen, index: number, threshold: number): HTMLElement {
  const { text, loops } = tokens[index]!;
  const heading = make('h3', '', `${JSON.stringify(text)} under ${model}`);
  if (loops === null) return make('section', 'detail', heading, make('p', 'muted', 'Nothing came before it.'));
  const leaves = exitLoop(loops, threshold);
  const body = loops.map((seen, k) => {
    const name = make('th', '', k + 1 === leaves ? `${k + 1}, leaves` : String(k + 1));
    name.scope = 'row';
    paint(name, k + 1, all);
    const numbers = [seen.logprob.toFixed(3), seen.entropy.toFixed(3), seen.gate.toFixed(3), seen.exit.toFixed(3)];
    const line = row(name, ...numbers, words(seen));
    line.classList.toggle('leaves', k + 1 === leaves);
    return line;
  });
  const titles = ['loop', 'log-prob.', 'entropy', 'gate', 'leaves', 'likeliest words'];
  const whole = table(`Loops of ${JSON.stringify(text)} under ${model}`, titles, body);
  return make('section', 'detail', heading, whole);
}

function words({ top }: LoopSeen): HTMLElement {
  const shown = top.map(({ token, id, logprob }) => {
    const share = `${(100 * Math.exp(logprob)).toFixed(1)} %`;
    return make('span', 'word', make('code', '', JSON.stringify(token ?? `#${id}`)), ` ${share}`);
  });
  return make('td', 'words', ...shown);
}
