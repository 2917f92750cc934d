/** One figure of a report as a stand-alone SVG file, for a README or a paper. */
import { renameSync, writeFileSync } from 'node:fs';
import { UserError } from '../../base/user-error.js';
import { openCanvas } from './figures/canvas.js';
import { standaloneSvg } from './figures/standalone.js';
import type { ReportInput } from './input.js';
import { planReport } from './plan.js';

/**
 * Writes figure `id` to `path`, whole or not at all. Light and dark follow the reader's preference.
 * @throws UserError when the runs have no such figure, with those that they have
 */
export async function writeFigure(input: ReportInput, id: string, path: string): Promise<void> {
  const { figures } = planReport(input);
  const figure = figures.find((candidate) => candidate.id === id);
  if (!figure) throw new UserError(`--figure ${id}: these runs have ${figures.map((one) => one.id).join(', ')}`);
  const svg = standaloneSvg(figure.draw(await openCanvas()));
  writeFileSync(`${path}.partial`, svg, { flush: true });
  renameSync(`${path}.partial`, path);
}
