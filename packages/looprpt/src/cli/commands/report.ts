/** `looprpt report`: one self-contained page about one or more runs. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { type Cli, commandLine, printJson, printLine, sayer } from '../../base/terminal/cli.js';
import { UserError } from '../../base/user-error.js';
import { assertWritable } from '../../base/write-file.js';
import { newCommand } from '../command.js';
import { real } from '../values.js';

export function reportCommand(cli: Cli): CommandUnknownOpts {
  return newCommand(
    cli,
    'report',
    'Makes one self-contained page of runs. It has training curves, Pareto plots, accuracy by loop and difficulty, tables. A run is a run folder, or a file that eval --json wrote.',
    'npx looprpt report runs/hop-base runs/hop-looprpt --out report.html',
  )
    .argument('<run...>', 'run folders, and files written by eval --json or eval --out')
    .option('--out <file>', 'the HTML page, or the SVG of --figure; not needed with --json, which prints the figures')
    .option('--figure <id>', 'write this figure alone, as SVG: pareto, for example')
    .option('--title <text>', 'the heading of the page')
    .option('--tau <τ>', 'the exit threshold of the adaptive columns', real(), 0.5)
    .action(async (paths, { out, figure, title, tau, json = false, ...options }) => {
      if (out === undefined && !json) throw new UserError('report: give --out FILE.html, or --json');
      if (out !== undefined) assertWritable(out);
      const { reportInput } = await import('../../eval/report/runs.js');
      const input = reportInput(paths, { title, tau, command: commandLine(cli) });
      const { reportJson, writeReport } = await import('../../eval/report/page.js');
      const { writeFigure } = await import('../../eval/report/figure-file.js');
      if (out !== undefined) await (figure === undefined ? writeReport(input, out) : writeFigure(input, figure, out));
      if (json) printJson(cli, reportJson(input));
      else printLine(cli, `${out}: ${paths.length} ${paths.length === 1 ? 'run' : 'runs'}`);
      const bare = input.runs.filter(({ evaluation }) => evaluation === undefined).map(({ name }) => name);
      if (bare.length > 0)
        sayer(cli, options)(`not evaluated: ${bare.join(', ')}; \`looprpt eval --model RUN --data …\` adds figures`);
    });
}
