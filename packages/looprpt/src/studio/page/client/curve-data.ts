/** Curves as they came from the server, and what is made of them before they are drawn. Pure functions of arrays. */

/** One column of a run over buckets of steps; null where nothing was measured. */
export interface Curve {
  /** The last step of each bucket. */
  steps: readonly number[];
  mean: readonly (number | null)[];
  min: readonly (number | null)[];
  max: readonly (number | null)[];
}

/**
 * An exponential moving average that is fair to the beginning: each value is the mean of those so far, weighted by age.
 * @param weight of what came before, 0 to below 1
 */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight === 0) return [...values];
  let [sum, mass] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}

/** The curve's mean in the bucket that holds a step; null where there is none. */
export function valueAt({ steps, mean }: Curve, step: number): number | null {
  if (steps.length === 0 || step > steps.at(-1)!) return null;
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  return mean[low] ?? null;
}

/** A number as a reader wants it beside a curve: four digits, large and small ones with an exponent. */
export function readable(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/** What a panel shows, as comma-separated values: a line for each run and bucket. */
export function curvesCsv(column: string, lines: readonly { name: string; curve: Curve }[]): string {
  const rows = lines.flatMap(({ name, curve: { steps, mean, min, max } }) =>
    steps.map((step, i) => [quoted(name), step, mean[i] ?? '', min[i] ?? '', max[i] ?? ''].join(',')),
  );
  return `${['run', 'step', `${column} mean`, `${column} min`, `${column} max`].map(quoted).join(',')}\n${rows.join('\n')}\n`;
}

/** No spreadsheet takes a name for a formula. */
function quoted(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /^[\w. -]+$/.test(safe) ? safe : `"${safe.replaceAll('"', '""')}"`;
}
