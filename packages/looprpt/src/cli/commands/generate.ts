/** `looprpt generate`: text from a prompt, and how many loops each token took. */
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { loadingLine } from '../../base/terminal/loading.js';
import { UserError } from '../../base/user-error.js';
import { CACHES, cachePolicyConfig } from '../../decode/cache-policy.js';
import type { GeneratedToken } from '../../decode/generation.js';
import { EXIT_RULES, exitRuleOf } from '../../model/exit-rule.js';
import { newCommand } from '../command.js';
import { integer, real } from '../values.js';
import { weightsOption } from '../weights-option.js';

export function generateCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'generate',
    'Continues a prompt, and says how many loops it took. With --stream the text appears as it is made; with --json too, one object a line for each piece {"text", "loop"}, and the whole result last.',
    'npx looprpt generate --model runs/stories --prompt "Problem: Tom has 3 apples." --exit-threshold 0.7',
  )
    .requiredOption(
      '--model <model>',
      'a model folder, a Hub id or a run folder (its blended model or newest checkpoint)',
    )
    .requiredOption('--prompt <text>', 'what is continued; with --chat: what the user says')
    .option('--max-tokens <n>', 'tokens to make, at most', integer(1), 128)
    .addOption(
      new Option(
        '--exit-rule <rule>',
        "when a token stops looping: by the exit gate's CDF, by the state's relative change, by the likeliest token's probability, by the next token's entropy in nats, or always after --max-loops",
      )
        .choices(EXIT_RULES)
        .default('gate' as const),
    )
    .option(
      '--exit-threshold <τ>',
      "stop looping where the exit rule's number reaches τ (default: the model's)",
      real(),
    )
    .option('--max-loops <k>', "loops for every token, at most (default: the model's)", integer(1))
    .option(
      '--speculate',
      'the text of all loops, in less time, by starting tokens before those before them are sure; without an exit threshold',
    )
    .addOption(
      new Option('--cache <policy>', cachePolicyConfig.shape.decode.description)
        .choices(CACHES)
        .default('complete' as const),
    )
    .option('--temperature <t>', '0 takes the likeliest token', real(0), 0)
    .option('--top-p <p>', 'only the likeliest tokens that together reach this probability', real(0, 1), 1)
    .option('--top-k <k>', 'only the k likeliest tokens; 0 is all', integer(0), 0)
    .option('--min-p <p>', 'only tokens at least this share as likely as the likeliest', real(0, 1), 0)
    .option('--repetition-penalty <x>', 'above 1 makes tokens that are there already less likely', real(0), 1)
    .option('--chat', "put the prompt into the model's chat template")
    .option('--stream', 'print the text as it is made')
    .addOption(weightsOption())
    .option('--dry-run', 'print what weights and text take, and stop; nothing is loaded')
    .action(async ({ prompt, maxTokens, chat = false, stream = false, json = false, seed = 0, ...options }) => {
      const { topP, repetitionPenalty } = options;
      const { speculate = false, exitRule, exitThreshold } = options;
      if (speculate && (exitThreshold !== undefined || (exitRule !== 'gate' && exitRule !== 'loops')))
        throw new UserError(
          '--speculate gives the text of all loops: leave out --exit-threshold and --exit-rule, or it',
        );
      if (topP === 0) throw new UserError('--top-p 0 leaves no token; give a share above 0');
      if (repetitionPenalty === 0) throw new UserError('--repetition-penalty 0 means nothing; 1 is none');
      const say = sayer(cli, options);
      requireEngine();
      const { openPlanned, tokenizerIn } = await import('../../train/state/open-model.js');
      const { planModel } = await import('../../train/state/planned-model.js');
      const { sumOf } = await import('../../train/state/room.js');
      const { generateText } = await import('../../decode/generate.js');
      const { needOfGeneration, printGenerationPlan } = await import('../generation-plan.js');
      const planned = await planModel(options.model, { ...options, readOnly: true, onMessage: say });
      const tokenizer = await tokenizerIn(planned.folder);
      if (tokenizer === null) throw new UserError(`${options.model}: no tokenizer.json in ${planned.folder}`);
      const asked = chat ? await chatPrompt(planned.folder, prompt) : prompt;
      const size = { prompt: Math.max(1, (await tokenizer.encode(asked)).length), maxTokens, cache: options.cache };
      if (options.dryRun) {
        printGenerationPlan(cli, planned, size, { json });
        return;
      }
      const need = needOfGeneration(planned, size);
      const onLoad = loadingLine({ stream: cli.stderr, quiet: options.quiet ?? false });
      using opened = await openPlanned(planned, { onLoad, onMessage: say, beside: () => sumOf(need.parts) }, tokenizer);
      const generation = await generateText(opened, {
        prompt: asked,
        maxTokens,
        exit: exitRuleOf(opened.config, {
          rule: speculate ? 'loops' : exitRule,
          threshold: exitThreshold,
          maxLoops: options.maxLoops,
        }),
        speculate,
        cache: options.cache,
        sampling: {
          temperature: options.temperature,
          topP,
          topK: options.topK,
          minP: options.minP,
          repetitionPenalty,
        },
        seed,
        chat,
        ...(stream ? { onToken: (token: GeneratedToken) => printPiece(cli, json, token) } : {}),
      });
      if (json) printJson(cli, generation);
      else printLine(cli, stream ? '' : generation.text);
      const { tokens, meanLoops, tokensPerSecond, finishReason, speculation } = generation;
      const stopped = finishReason === 'length' ? ', cut at --max-tokens' : '';
      say(
        `${tokens.length} tokens, ${meanLoops.toFixed(2)} of ${opened.config.loops} loops on average, ${tokensPerSecond.toFixed(1)} tokens/s${stopped}`,
      );
      if (speculation)
        say(
          `${speculation.accepted} of ${speculation.drafted} drafts were right; ${(speculation.passes / Math.max(1, tokens.length)).toFixed(2)} passes a token`,
        );
    });
}

function printPiece(cli: Cli, json: boolean, { text, loop }: GeneratedToken): void {
  if (text === '') return;
  if (json) printJson(cli, { text, loop });
  else cli.stdout.write(text);
}

async function chatPrompt(folder: string, content: string): Promise<string> {
  const { ChatTemplate } = await import('../../text/chat-template.js');
  const template = await ChatTemplate.load(folder);
  if (template === null) throw new UserError(`${folder}: has no chat template; leave --chat out`);
  return template.render([{ role: 'user', content }], { addGenerationPrompt: true });
}
