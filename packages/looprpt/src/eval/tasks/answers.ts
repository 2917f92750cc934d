/**
 * When two answers are the same. Two measures, as the field's harnesses report them:
 *
 * - by writing: equal after the normalisation that MATH's authors published (Hendrycks et al. 2021, `is_equiv`) with the additions of
 *   Lewkowycz et al. 2022, appendix D: spacing, sizes of brackets, `\dfrac`, `\frac12`, `\sqrt2`, a/b, 0.5, degrees, per cent, currency,
 *   units and words behind a value, `x =` in front of one, thousands.
 * - by value: numbers, fractions and mixed numbers count as what they are worth, so 0.25 is 1/4.
 */
import { boxedAnswer } from '../../data/documents/final-answer.js';
import { canonicalNumber, fractionOf, sameValue } from './numbers.js';

/** By value, and by writing where there is none. */
export function sameAnswer(a: string, b: string): boolean {
  const [left, right] = [normaliseAnswer(a), normaliseAnswer(b)];
  if (left === right) return true;
  const [x, y] = [fractionOf(left), fractionOf(right)];
  if (x !== null && y !== null) return sameValue(x, y);
  return sameParts(left, right);
}

/** By writing alone. */
export function sameWriting(a: string, b: string): boolean {
  return normaliseAnswer(a) === normaliseAnswer(b);
}

/** Pairs, triples and sets are the same when their members are, in their order; brackets count. */
function sameParts(a: string, b: string): boolean {
  const [left, right] = [a, b].map((answer) => /^(\(|\[|\\\{)(.*,.*)(\)|\]|\\\})$/.exec(answer));
  if (!left || !right || left[1] !== right[1] || left[3] !== right[3]) return false;
  const [x, y] = [topLevelParts(left[2]!), topLevelParts(right[2]!)];
  return x.length > 1 && x.length === y.length && x.every((part, i) => sameAnswer(part, y[i]!));
}

function topLevelParts(list: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of list) {
    if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

/** One way of writing for the many of TeX and plain text. */
export function normaliseAnswer(answer: string): string {
  const written = braced(withoutUnits(withoutSpacing(boxedAnswer(answer) ?? answer)))
    .replaceAll(/\s+/g, '')
    .replace(/[.,;]$/, '')
    .toLowerCase();
  const value = withoutName(written);
  const number = value.replace(/^\+/, '').replaceAll(/,(?=\d{3}(?!\d))/g, '');
  if (/^-?(?:\d+\.?\d*|\.\d+)$/.test(number)) return halfAsFraction(canonicalNumber(number));
  return asFraction(value);
}

/** Commands that change the look and not the meaning, delimiters of formulas, currency, per cent and degrees. */
function withoutSpacing(answer: string): string {
  return answer
    .trim()
    .replace(/^\\[([](.*)\\[)\]]$/s, '$1')
    .replaceAll(/[−–]/g, '-')
    .replaceAll('**', '')
    .replaceAll('{,}', ',')
    .replaceAll(/\\(?:left|right|big[lr]?|Big[lr]?)(?![a-zA-Z])\.?/g, '')
    .replaceAll(/\\(?:displaystyle|textstyle|limits|quad|qquad)(?![a-zA-Z])|(?<!\\)\\[,;:! ]|~/g, ' ')
    .replaceAll(/\\[dtc]frac(?![a-zA-Z])/g, '\\frac')
    .replaceAll(/\^\s*\{?\s*\\+circ\s*\}?|\\degree(?![a-zA-Z])|°/g, '')
    .replaceAll(/\\?%|\\?\$|[€£]/g, '')
    .trim();
}

/** Units that may stand bare behind a number; single letters could be names of something. */
const UNITS =
  /(?<=[\d}.)]\s*)(?:square |cubic |sq\.? |cu\.? )?(?:cm|mm|km|kg|mph|ft|in|inch(?:es)?|f(?:oo|ee)t|(?:centi|milli|kilo)?met(?:er|re)s?|miles?|yards?|units?|degrees?|radians?|seconds?|minutes?|hours?|days?|weeks?|months?|years?|dollars?|cents?|pounds?|gallons?|lit(?:er|re)s?|grams?|points?|ways?|people|students?|percent)(?:\s*\^\s*\{?[23]\}?)?\.?$/i;

/** `\text{…}` behind a value says what it counts; alone it is the answer. */
function withoutUnits(answer: string): string {
  const text = /\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|hbox|rm)\s*\{([^{}]*)\}/g;
  const unit = /(?<=[\w})\]])\s*\\(?:text|textrm|mathrm|mbox|hbox)\s*\{([^{}]*)\}(?:\s*\^\s*\{?-?\d\}?)?\.?$/;
  const behind = unit.exec(answer);
  const bare =
    behind && !/^\s*(?:and|or)?\s*$/.test(behind[1]!) && !isRelation(answer, behind.index)
      ? answer.slice(0, behind.index)
      : answer;
  return bare.replaceAll(text, '$1').replace(UNITS, '').trim();
}

/** Words in front of the last ones mean that the words are part of the answer, as in `2\text{ and }3\text{ only}`. */
function isRelation(answer: string, end: number): boolean {
  return /\\(?:text|mbox|mathrm)/.test(answer.slice(0, end));
}

/** Arguments of one token get their braces: `\frac12`, `\frac ab`, `\sqrt x`. */
function braced(answer: string): string {
  const argument = String.raw`(\{(?:[^{}]|\{[^{}]*\})*\}|\\[a-zA-Z]+|[^\s{}\\])`;
  const filled = (token: string): string => (token.startsWith('{') ? token : `{${token}}`);
  return answer
    .replaceAll(
      new RegExp(String.raw`\\frac\s*${argument}\s*${argument}`, 'g'),
      (_, a: string, b: string) => `\\frac${filled(a)}${filled(b)}`,
    )
    .replaceAll(new RegExp(String.raw`\\sqrt\s*(?!\[)${argument}`, 'g'), (_, a: string) => `\\sqrt${filled(a)}`);
}

/** `x = 5` and `f(x) = 5` say 5; `x + y = 5` is an equation. */
function withoutName(written: string): string {
  const sides = written.split('=');
  return sides.length === 2 &&
    sides[1] !== '' &&
    /^(?:[a-z]{1,2}|\\[a-z]+|[a-z](?:_\{?\w+\}?|\([a-z]\))?)$/.test(sides[0]!)
    ? sides[1]!
    : written;
}

/** Whole numbers over each other, and MATH's own 0.5. */
function asFraction(value: string): string {
  const slash = /^(-?)(\d+)\/(-?)(\d+)$/.exec(value);
  if (slash) return `${slash[1] === slash[3] ? '' : '-'}\\frac{${slash[2]}}{${slash[4]}}`;
  return value.replace(/^\\frac\{-(\d+)\}\{(\d+)\}$/, '-\\frac{$1}{$2}');
}

function halfAsFraction(number: string): string {
  return number.replace(/^(-?)0\.5$/, '$1\\frac{1}{2}');
}
