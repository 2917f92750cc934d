/** docs/results/README.md: all studies in one table, how to read them, which claims hold. Drawn from the outcomes. */
import { verdictsTable } from './claims-markdown.js';
import { REGIMES } from './facts.js';
import { folded, markdownTable, withSection } from './markdown-pieces.js';
import type { StudyResult } from './result.js';
import { tableSection } from './study-markdown.js';
import { shortTable, summaryTable } from './summary-table.js';
import { verdict } from './verdict.js';

const HEAD = `# Results

**Verdict.** In a domain new to the base, all that the paper claims over its base holds, and plain training gives more of it. Where the base has seen a twentieth of the domain, five of the six claims do not hold and one holds partly: it loses 24 points, as cross-entropy on the hard tokens does. The preset \`all-tokens\`, LoopRPT on every token in closed form, is above the strongest plain training in a generated domain, and with 17M weights on real text. With 0.4M weights there it is not told apart from it for equal tokens, and 0.7 points below it for equal compute. Where the base knows its text, LoopRPT has not beaten plain training.

![Accuracy against mean loops: base, stage I, the paper's LoopRPT and ours, in a domain new to the base](../../lab/results/studies/transfer-pareto.svg)

| | |
|---|---|
| **The paper claims**, over its base | every loop better, by 0.5 to 1.6 points; hard tokens most; fewer loops (3.51 to 2.29); no baseline of plain training |
| **We see in its setting** (preset \`paper\`) | every loop better: 3.6 / 2.5 / 2.0 / 1.4 becomes 26.2 / 21.9 / 15.4 / 7.0 %; 2.33 to 1.10 loops at τ = 0.5. On real text 8.4 / 8.5 / 8.5 / 8.5 becomes 18.1 / 18.7 / 16.5 / 12.4 %; 2.79 to 1.38 loops. All six claims over the base hold in both. With 17M weights 5.7 / 5.5 / 5.4 / 5.4 becomes 7.2 / 6.4 / 6.0 / 4.9 %, 1.96 to 1.08 loops: five hold, and that every loop is better holds partly. Of a base whose text was a twentieth of the domain, 65.7 / 66.1 / 66.0 / 65.8 becomes 41.7 / 37.8 / 30.4 / 21.2 %: it trains on the hard fifth, and unlearns the rest |
| **Plain training**, same tokens, a seventh of the compute | more: stage I 41.6 / 40.9 / 39.0 / 37.1 %. Its frontier is 41.5, that of \`paper\` 26.5; on real text 29.4 and 18.9, with 17M weights 12.8 and 7.0 |
| **Our preset \`all-tokens\`** | frontier 44.1: +2.6 (+1.2 to +3.8) over stage I for equal tokens, +2.2 (+1.0 to +3.2) for equal compute; by area −3.6 (−5.3 to −2.2). On real text −0.3 (−0.9 to +0.2) for equal tokens, −0.7 (−1.3 to −0.2) for equal compute; with 17M weights +1.3 (+0.3 to +2.7) for the same tokens and processor time; where the base knows a little of the domain −0.5 (−0.8 to −0.3) and −0.3 (−0.5 to −0.1) |
| **When to use which** | a general LoopLM and a new domain: stage I; \`all-tokens\` beside it where few loops are wanted, since its tokens leave after 1.1 to 1.2 loops and its deep loops decay (25.2 at loop 4); a base that knows its text, a small corpus: \`tethered\`, which does harm in a new domain (33.2). \`looprpt blend\` takes back what did harm |

The study is [transfer](transfer.md): generated, small (171,000 weights), five seeds, every arm tuned with as many trials, 200 held-out documents. Settings of \`all-tokens\` were fixed on other seeds before. Its base gains nothing from depth in so few steps, so all of the frontier lies at loop 1, and an arm with labels at loop 1 alone has 45.3. Every arm forgets the base's own tasks (stage I −54.9 (−59.1 to −50.6) points at the last loop, \`all-tokens\` −58.5 (−64.3 to −53.3)). [transfer-text](transfer-text.md) is the same from GSM8K to Omni-MATH (430,000 weights, five seeds): there \`all-tokens\` is as accurate at 1.2 loops as at any number, 0.3 points below stage I for equal tokens, where its interval holds zero, and 0.7 below for equal compute, where it does not. [transfer-mild](transfer-mild.md) is the generated one from a base that has seen a twentieth of the domain: stage I gains 0.9 points over it, \`all-tokens\` 0.5, \`paper\` loses 24.2. On a [saturated base](hop-saturated-presets.md) it is not told apart from the base (−0.12, −0.24 to +0.02), and level with it where \`looprpt blend\` chooses the share (−0.01, −0.08 to +0.07). [transfer-large](transfer-large.md) is \`transfer-text\` with 17M weights on a short budget: three seeds, two trials an arm, 23 held-out documents, a base of half a million tokens that knows little (5.7 %), 80 steps of 512 tokens. \`all-tokens\` takes the processor time of stage I there, \`paper\` seven times as much; the arms for equal compute, uniform cross-entropy and \`paper-gate\` were not run.

Where the base knows its kind of text:

- **LoopRPT** (the preset \`fast\`) is nowhere above the best baseline. Against its own base it is worse or level, but for a larger base of text that plain training has not saturated. What it loses comes from L_rep on the selected tokens, and none of it from δ ([log](../../lab/LOG.md)).
- **\`tethered\`** is above the best baseline on a finite corpus (+0.15) and on text (+0.11), for the same CPU time, and level elsewhere. Its gain is mostly that of weight interpolation, which helps plain stage I as much or more.
- **The measure.** The area of the curve counts thresholds that nobody would choose; the frontier does not. In transfer the two disagree: by area stage I is above \`all-tokens\`. The tables of the older studies show both.

Every number below and on the studies' pages is drawn from a file in [lab/results/studies](../../lab/results/studies) that the study's command wrote. \`npm run evidence -- figures\` draws all pages again. What was tried on the way, failures included, is in the [log](../../lab/LOG.md). Speed has [a page of its own](performance.md).`;

const READING = `## How to read the tables

- **Regimes.** ${Object.entries(REGIMES)
  .map(([regime, words]) => `(${regime}) ${words}`)
  .join('; ')}.
- **Accuracy** is that of the next token, in per cent.
- **Frontier** is the mean over budgets d, from 1 to all loops, of the best accuracy at no more than d mean loops. Its thresholds are chosen on the tuning split, by the same rule for every arm. It decides in the studies of transfer. Older outcomes hold only the mean curve of their seeds: there the thresholds are the held-out split's own, and there is no interval.
- **≤ 1.5 loops** and **≤ 2 loops** are the accuracies within such a budget. **Loops to the base's best** are the fewest at which an arm is as accurate as the base at its best.
- **Area** is the mean height of the curve of accuracy over mean loops, from 1 to all loops. The exit gate draws the curve over all thresholds. It decides in the older studies. It misleads where late loops are worse than early ones: it counts thresholds that cost more and give less, which nobody would choose.
- **Hard** tokens are the third in which the base is least sure at full depth.
- **Best baseline** is the one with the largest area on the held-out split itself: of base, stage I, uniform cross-entropy, hard-token cross-entropy and the gate alone, as far as a table has them. It is chosen for each budget and for hard tokens anew, which favours it a little.
- **Equal compute** is FLOPs as the arithmetic counts them, or CPU seconds as runs of the same arms for equal tokens took them. Each table says which.
- **Interpolated** arms end at a share of the way from the base to their last weights. They try as many shares, with the study's largest learning rate, as others try rates.
- **Calibration error** is the mean distance between the gate's exit probability and the share of predictions that no longer change.
- **TFLOP** are those of training beyond the base. **CPU s** are the seconds of its steps, all threads together.
- **What LoopRPT means** in a table stands on its page under *LoopRPT here*. None of these tables has the paper's coefficients: they ran γ = 0.02 and δ = 0.005 where the paper has 0.01 and 0.0001, read L_KL from the clean pass, and stop the policy gradient at the gate.`;

const RULE = `## Which claims hold

The rule reads intervals. A part that says "more" holds if its whole 95 % interval lies above zero, and is reversed if all of it lies below. A part that says "not less" is reversed if all of it lies below, and holds otherwise. A claim **holds** if all its parts do. It **holds partly** if some do and none is reversed, and **does not hold here** if one is reversed. Of any other, these runs **cannot tell**. A dash: the study has not the arms for it. Intervals stand on each study's page.`;

/** @param results in the order of the page */
export function resultsIndex(results: readonly StudyResult[]): string {
  return `${[
    HEAD,
    tableSection(shortTable(results, '')),
    folded('Both budgets, and the preset against plain training', tableSection(summaryTable(results, ''))),
    `## All studies\n\n${markdownTable(
      ['study', 'what', 'verdict'],
      results.map((result) => [`[${result.study.name}](${result.study.name}.md)`, result.study.title, verdict(result)]),
    )}`,
    READING,
    `${RULE}\n\n${folded('Every claim, every study', verdictsTable(results))}`,
  ].join('\n\n')}\n`;
}

/** The README's results, between the comments that name them. */
export function readmePage(page: string, results: readonly StudyResult[]): string {
  return withSection(page, 'results', tableSection(shortTable(results, 'docs/results/')));
}
