/** docs/results/README.md: all studies in one table, how to read them, which claims hold. Drawn from the outcomes. */
import { verdictsTable } from './claims-markdown.js';
import { REGIMES } from './facts.js';
import { folded, markdownTable, withSection } from './markdown-pieces.js';
import type { StudyResult } from './result.js';
import { tableSection } from './study-markdown.js';
import { shortTable, summaryTable } from './summary-table.js';
import { verdict } from './verdict.js';

const HEAD = `# Results

@@HEAD@@

Every number is drawn from a file in [lab/results/studies](../../lab/results/studies) that the study's command wrote. \`npm run evidence -- figures\` draws all pages again. What was tried on the way, failures included, is in the [log](../../lab/LOG.md). Speed has [a page of its own](performance.md).`;

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
