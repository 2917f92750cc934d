/** `looprpt generate`: text from a prompt, and how many loops each token took. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { requireEngine } from '../../base/prepare-engine.js';
import { type Cli, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { newCommand } from '../command.js';
import { integer, real } from '../values.js';

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
    .option('--exit-threshold <τ>', "stop looping where the exit CDF reaches τ (default: the model's)", real())
    .option('--max-loops <k>', "loops for every token, at most (default: the model's)", integer(1))
    .option('--temperature <t>', '0 takes the likeliest token', real(0), 0)
    .option('--top-p <p>', 'only the likeliest tokens that together reach this probability', real(0, 1), 1)
    .option('--top-k <k>', 'only the k likeliest tokens; 0 is all', integer(0), 0)
    .option('--min-p <p>', 'only tokens at least this share as likely as the likeliest', real(0, 1), 0)
    .option('--repetition-penalty <x>', 'above 1 makes tokens that are there already less likely', real(0), 1)
    .option('--chat', "put the prompt into the model's chat template")
    .option('--stream', 'print the text as it is made')
    .action(async ({ prompt, maxTokens, chat = false, stream = false, json = false, seed = 0, ...options }) => {
      const { topP, repetitionPenalty } = options;
      if (topP === 0) throw new UserError('--top-p 0 leaves no token; give a share above 0');
      if (repetitionPenalty === 0) throw new UserError('--repetition-penalty 0 means nothing; 1 is none');
      const say = sayer(cli, options);
      requireEngine();
      const { openModel } = await import('../../train/state/open-model.js');
      const { exitPolicy } = await import('../../decode/plain/exit-policy.js');
      const { generate } = await import('../../decode/plain/generate.js');
      using opened = await openModel(options.model, { ...options, onMessage: say });
      const generation = await generate(opened.lm, opened.tokenizer, {
        prompt: chat ? await chatPrompt(opened.folder, prompt) : prompt,
        maxTokens,
        exit: exitPolicy(opened.config, { threshold: options.exitThreshold, maxLoops: options.maxLoops }),
        sampling: {
          temperature: options.temperature,
          topP,
          topK: options.topK,
          minP: options.minP,
          repetitionPenalty,
        },
        seed,
        chat,
        ...(stream ? { onText: (text: string, loop: number) => printPiece(cli, json, text, loop) } : {}),
      });
      if (json) printJson(cli, generation);
      else printLine(cli, stream ? '' : generation.text);
      const { tokens, meanLoops, tokensPerSecond, finishReason } = generation;
      const stopped = finishReason === 'length' ? ', cut at --max-tokens' : '';
      say(
        `${tokens.length} tokens, ${meanLoops.toFixed(2)} of ${opened.config.loops} loops on average, ${tokensPerSecond.toFixed(1)} tokens/s${stopped}`,
      );
    });
}

function printPiece(cli: Cli, json: boolean, text: string, loop: number): void {
  if (json) printJson(cli, { text, loop });
  else cli.stdout.write(text);
}

async function chatPrompt(folder: string, content: string): Promise<string> {
  const { ChatTemplate } = await import('../../text/chat-template.js');
  const template = await ChatTemplate.load(folder);
  if (template === null) throw new UserError(`${folder}: has no chat template; leave --chat out`);
  return template.render([{ role: 'user', content }], { addGenerationPrompt: true });
}
