/**
 * Whether a stream is what the same request gave alone: equal when it ended, its beginning when the client left before.
 * A lost or repeated token, a wrong loop, a text cut short are each said in one line.
 */
import type { Outcome, StreamedText } from '../../../packages/looprpt/test-support/dist/serve/stream-client.js';

type Streamed = Extract<Outcome, { kind: 'done' | 'gone' }>;

/** @returns what is wrong; empty when nothing is */
export function differences(streamed: Streamed, alone: readonly StreamedText[]): string[] {
  const isWhole = streamed.kind === 'done';
  const wrong = alone.flatMap((expected, index) => {
    const got = streamed.texts[index];
    if (!got) return isWhole ? [`text ${index} did not come`] : [];
    return compareTexts(got, expected, isWhole).map((line) => `text ${index}: ${line}`);
  });
  if (streamed.texts.length > alone.length) wrong.push(`${streamed.texts.length} texts, alone ${alone.length}`);
  return wrong;
}

/** What must hold of one ended stream by itself. */
export function contradictions({ texts, tokensByUsage }: Extract<Outcome, { kind: 'done' }>): string[] {
  const tokens = texts.reduce((sum, { loops }) => sum + loops.length, 0);
  return [
    ...(tokens === tokensByUsage ? [] : [`${tokens} tokens came, the usage says ${tokensByUsage}`]),
    ...texts.flatMap(({ text, tokenTexts, loops, finish }, index) => [
      ...(tokenTexts.length === loops.length
        ? []
        : [`text ${index}: ${tokenTexts.length} token texts, ${loops.length} loops`]),
      // What was held back until the end is no token's.
      ...(text.startsWith(tokenTexts.join('')) ? [] : [`text ${index}: its tokens do not make up its text`]),
      ...(finish === null ? [`text ${index}: no reason for its end`] : []),
    ]),
  ];
}

function compareTexts(got: StreamedText, expected: StreamedText, isWhole: boolean): string[] {
  return [
    ...compareLists('token', got.tokenTexts, expected.tokenTexts, isWhole),
    ...compareLists('loops of token', got.loops, expected.loops, isWhole),
    ...compareLists('character', [...got.text], [...expected.text], isWhole),
    ...(isWhole && got.finish !== expected.finish ? [`ended by ${got.finish}, alone by ${expected.finish}`] : []),
  ];
}

/** One line for the first difference, or for the lengths where one is the other's beginning. */
function compareLists<T>(what: string, got: readonly T[], expected: readonly T[], isWhole: boolean): string[] {
  const at = got.findIndex((item, i) => i >= expected.length || item !== expected[i]);
  if (at >= 0 && at < expected.length)
    return [`${what} ${at} is ${JSON.stringify(got[at])}, alone ${JSON.stringify(expected[at])}`];
  if (at >= 0 || (isWhole && got.length < expected.length))
    return [`${got.length} of ${what}, alone ${expected.length}`];
  return [];
}
