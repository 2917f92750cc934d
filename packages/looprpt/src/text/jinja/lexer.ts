/**
 * A template's text in pieces: literal text, and the tags with their tokens. White space around tags is settled here, as Jinja does with
 * `trim_blocks` and `lstrip_blocks`: the line break after a block goes, and so does what indents a block that begins its line. A minus takes
 * all white space on its side, a plus keeps it.
 */
import { ONLY_SPACE, trimEnd, trimStart } from './python-text.js';
import { JinjaError } from './values.js';

export type Token =
  | { kind: 'name' | 'string' | 'operator'; text: string }
  | { kind: 'integer' | 'float'; text: string; value: number };

export type Piece = { kind: 'text'; text: string } | { kind: 'output' | 'block'; tokens: Token[]; line: number };

const OPERATORS = /\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=()[\]{},.:|]/y;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const FLOAT = /(?:\d+_)*\d+(?:\.(?:\d+_)*\d+(?:e[-+]?\d+)?|e[-+]?\d+)/iy;
const INTEGER = /0b[01_]+|0o[0-7_]+|0x[\da-f_]+|\d[\d_]*/iy;
const STRING = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y;
const RAW = /\{%[-+]?\s*raw\s*(-?)%\}/y;
const RAW_END = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;

/** @throws JinjaError for a tag that is not closed, or holds what is no token */
export function split(source: string): Piece[] {
  const text = source.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  const pieces: Piece[] = [];
  let at = 0;
  let startsLine = true;
  let [line, counted] = [1, 0];
  while (at < text.length) {
    const open = nextTag(text, at);
    const kind = text[open + 1];
    let literal = text.slice(at, open);
    const sign = text[open + 2] ?? '';
    if (sign === '-') literal = trimEnd(literal);
    else if (sign !== '+' && kind !== '{') literal = withoutIndent(literal, startsLine);
    if (literal !== '') pieces.push({ kind: 'text', text: literal });
    if (open === text.length) break;
    line += breaksIn(text, counted, open);
    counted = open;
    const inside = open + (sign === '-' || sign === '+' ? 3 : 2);
    const raw = matchAt(RAW, text, open);
    if (raw) {
      const after = rawText(text, open + raw[0].length, raw[1] === '-', pieces);
      startsLine = text[after - 1] === '\n';
      at = after;
    } else if (kind === '#') {
      const close = text.indexOf('#}', inside);
      if (close < 0) throw new JinjaError(`line ${line}: missing end of comment tag`);
      at = afterTag(text, close + 2, text[close - 1] ?? '', true);
    } else {
      const { tokens, end, sign: last } = tokensOf(text, inside, kind === '{' ? '}}' : '%}', line);
      pieces.push({ kind: kind === '{' ? 'output' : 'block', tokens, line });
      at = afterTag(text, end, last, kind === '%');
    }
    if (!raw) startsLine = text[at - 1] === '\n';
  }
  return pieces;
}

function breaksIn(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

function nextTag(text: string, from: number): number {
  for (let at = text.indexOf('{', from); at >= 0; at = text.indexOf('{', at + 1))
    if (text[at + 1] === '{' || text[at + 1] === '%' || text[at + 1] === '#') return at;
  return text.length;
}

/** White space between the start of a line and a block's tag goes. */
function withoutIndent(literal: string, startsLine: boolean): string {
  const line = literal.lastIndexOf('\n') + 1;
  if (line === 0 && !startsLine) return literal;
  return ONLY_SPACE.test(literal.slice(line)) ? literal.slice(0, line) : literal;
}

function afterTag(text: string, end: number, sign: string, isBlock: boolean): number {
  if (sign === '-') return text.length - trimStart(text.slice(end)).length;
  return isBlock && sign !== '+' && text[end] === '\n' ? end + 1 : end;
}

/** What stands between `raw` and `endraw`, as it is. */
function rawText(text: string, from: number, trims: boolean, pieces: Piece[]): number {
  const start = trims ? text.length - trimStart(text.slice(from)).length : from;
  RAW_END.lastIndex = start;
  const end = RAW_END.exec(text);
  if (!end) throw new JinjaError('missing end of raw tag');
  const given = text.slice(start, end.index);
  const literal = end[1] === '-' ? trimEnd(given) : end[1] === '+' ? given : withoutIndent(given, false);
  if (literal !== '') pieces.push({ kind: 'text', text: literal });
  return afterTag(text, RAW_END.lastIndex, end[2]!, true);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** The tokens up to `close`, which may stand inside of braces without being it. */
function tokensOf(
  text: string,
  from: number,
  close: string,
  line: number,
): { tokens: Token[]; end: number; sign: string } {
  const tokens: Token[] = [];
  let at = from;
  let depth = 0;
  for (;;) {
    at += /^\s*/.exec(text.slice(at, at + 4096))![0].length;
    if (at >= text.length) throw new JinjaError(`line ${line}: the tag is not closed with ${close}`);
    if (/\s/.test(text[at]!)) continue;
    if (depth === 0) {
      const sign = text[at] === '-' || (text[at] === '+' && close === '%}') ? text[at]! : '';
      if (text.startsWith(close, at + sign.length)) return { tokens, end: at + sign.length + 2, sign };
    }
    const token = tokenAt(text, at, line);
    if (token.kind === 'operator' && '([{'.includes(token.text)) depth++;
    if (token.kind === 'operator' && ')]}'.includes(token.text)) depth--;
    at += token.length;
    tokens.push(token);
  }
}

function tokenAt(text: string, at: number, line: number): Token & { length: number } {
  const string = matchAt(STRING, text, at);
  if (string) return { kind: 'string', text: unescaped(string[0].slice(1, -1)), length: string[0].length };
  const afterPoint = text[at - 1] === '.';
  const float = afterPoint ? null : matchAt(FLOAT, text, at);
  if (float)
    return { kind: 'float', text: float[0], value: Number(float[0].replaceAll('_', '')), length: float[0].length };
  const integer = matchAt(INTEGER, text, at);
  if (integer)
    return {
      kind: 'integer',
      text: integer[0],
      value: Number(integer[0].replaceAll('_', '')),
      length: integer[0].length,
    };
  const name = matchAt(NAME, text, at);
  if (name) return { kind: 'name', text: name[0], length: name[0].length };
  const operator = matchAt(OPERATORS, text, at);
  if (operator) return { kind: 'operator', text: operator[0], length: operator[0].length };
  throw new JinjaError(`line ${line}: unexpected character '${String.fromCodePoint(text.codePointAt(at)!)}'`);
}

const SIMPLE: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\x07', '\n': '' };

/** Python's escapes; one that it does not know stays as it is. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([\s\S]))/gi,
    (all, x?: string, u?: string, wide?: string, octal?: string, char?: string) => {
      const hex = x ?? u ?? wide;
      if (hex !== undefined) return codePoint(Number.parseInt(hex, 16));
      if (octal !== undefined) return codePoint(Number.parseInt(octal, 8));
      if (char === '\\' || char === "'" || char === '"') return char;
      return SIMPLE[char!] ?? all;
    },
  );
}

function codePoint(code: number): string {
  if (code > 0x10ffff) throw new JinjaError('an escape of a string is no character');
  return String.fromCodePoint(code);
}
