/** Values of options, checked where they are parsed; commander puts the option's name in front of each message. */
import { InvalidArgumentError } from '@commander-js/extra-typings';

/** A whole number from `least` on. */
export function integer(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (!Number.isSafeInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(
        most === Number.MAX_SAFE_INTEGER
          ? `It must be a whole number from ${least}.`
          : `It must be a whole number from ${least} to ${most}.`,
      );
    return value;
  };
}

/** A number from `least` to `most`. */
export function real(least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (Number.isNaN(value)) throw new InvalidArgumentError('It must be a number.');
    if (value < least || value > most)
      throw new InvalidArgumentError(
        most === Number.POSITIVE_INFINITY
          ? `It must be a number from ${least}.`
          : `It must be a number from ${least} to ${most}.`,
      );
    return value;
  };
}

/** A share of a whole as people write it, `5%` or `0.05`: a number between 0 and 1, both excluded. */
export function share(text: string): number {
  const value = text.trim().endsWith('%') ? number(text.trim().slice(0, -1)) / 100 : number(text);
  if (!(value > 0 && value < 1))
    throw new InvalidArgumentError('It must be a share between 0 and 1, such as 5% or 0.05.');
  return value;
}

/** Numbers between commas, in ascending order where that is asked for. */
export function numbers(options: { count?: number; ascending?: boolean } = {}): (text: string) => number[] {
  return (text) => {
    const values = text.split(',').map(number);
    if (values.some(Number.isNaN)) throw new InvalidArgumentError('It must be numbers between commas.');
    if (options.count !== undefined && values.length !== options.count)
      throw new InvalidArgumentError(`It must be ${options.count} numbers between commas.`);
    if (options.ascending && values.some((value, i) => i > 0 && value < values[i - 1]!))
      throw new InvalidArgumentError('The numbers must be in ascending order.');
    return values;
  };
}

export function device(text: string): string {
  if (!/^(cpu|cuda(:\d+)?)$/.test(text)) throw new InvalidArgumentError('It must be cpu, cuda or cuda:N.');
  return text;
}

/** Collects a repeatable option. */
export function repeated(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function number(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}
