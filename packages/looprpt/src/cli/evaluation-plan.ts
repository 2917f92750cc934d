/** `eval --dry-run`: what the evaluation of text will take, and no weight is read. */
import { freeMemory } from '../base/free-memory.js';
import { formatBytes } from '../base/terminal/bytes.js';
import { type Cli, printFacts, printJson } from '../base/terminal/cli.js';
import { assertEvaluationFits, planEvaluation } from '../eval/evaluation-memory.js';
import { type JudgeOptions, planJudgement } from '../eval/judge.js';
import { heldWeights } from '../train/state/planned-model.js';
import { ownBytes, PROGRAM_BYTES } from '../train/state/room.js';
import { type Fact, freeFacts, weightsFacts, weightsJson, willCopy } from './memory-facts.js';

/** One model after the other is in memory; each has its rows. @throws UserError where one does not fit */
export async function printEvaluationPlan(
  cli: Cli,
  model: string,
  options: JudgeOptions,
  { json }: { json: boolean },
): Promise<void> {
  const { models, shape } = await planJudgement(model, options);
  const free = freeMemory();
  const plans = models.map((planned) => {
    assertEvaluationFits(planned, shape);
    const memory = planEvaluation(heldWeights(planned), shape);
    return { planned, memory, own: ownBytes(planned, { parts: { ...memory } }) };
  });
  if (json) {
    const ofModels = plans.map(({ planned, memory, own }) => {
      const { mapped, own: weights } = planned.weights;
      const model = { ...weightsJson(planned), largePages: willCopy(planned, own, free) };
      return { model, memory: { weights, mapped, ...memory, program: PROGRAM_BYTES, own } };
    });
    printJson(cli, { ...shape, free, models: ofModels });
    return;
  }
  const { rows, sequenceLength, tokens } = shape;
  const batches: Fact = [
    'batches',
    `${rows} rows × ${sequenceLength} tokens, ${tokens.toLocaleString('en-US')} tokens in all`,
  ];
  const facts = plans.flatMap(({ planned, memory: { pass, logits, tables }, own }): Fact[] => [
    ...weightsFacts(planned),
    batches,
    ['pass', `${formatBytes(pass)} at most, logits ${formatBytes(logits)}, tables ${formatBytes(tables)}`],
    ['needs', `${formatBytes(own)} of memory and ${formatBytes(planned.weights.mapped)} of mapped weights`],
    ...freeFacts(planned, own, free),
  ]);
  printFacts(cli, facts);
}
