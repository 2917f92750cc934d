/** Python's two ways to fill in a text: `'%5.1f' % x` and `'{:>5.1f}'.format(x)`. */
import { quoted, textOf } from './python-text.js';
import { Float, JinjaError, type Keywords, numberOf, points, Tuple, typeName, type Value } from './values.js';

/** The widest field; what a template asks for beyond is refused. */
const WIDEST = 10_000;

/** `template % values`: a tuple's items in turn, a dict's by name, else the one value. */
export function percent(template: string, values: Value): string {
  const given: readonly Value[] = values instanceof Tuple ? values : [values];
  let next = 0;
  const take = (): Value => {
    const value = given[next++];
    if (value === undefined) throw new JinjaError('not enough arguments for format string');
    return value;
  };
  const field = /%(?:\(([^)]*)\))?([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*))?[hlL]?(.)/gsu;
  let named = false;
  const text = template.replace(field, (_all, name, flags: string, width, precision, kind: string) => {
    if (kind === '%') return '%';
    const wide = width === '*' ? numberOf(take()) : Number(width ?? 0);
    const digits = precision === '*' ? numberOf(take()) : precision === undefined ? null : Number(precision);
    let value: Value | undefined;
    if (name === undefined) value = take();
    else {
      named = true;
      value = values instanceof Map ? values.get(name as string) : undefined;
      if (value === undefined) throw new JinjaError(`no value '${name}' for the format`);
    }
    const spec: Spec = {
      fill: ' ',
      align: flags.includes('-') ? '<' : '>',
      sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '-',
      alternate: flags.includes('#'),
      zero: flags.includes('0') && !flags.includes('-'),
      width: wide ?? 0,
      comma: '',
      precision: digits,
      kind: kind === 'i' || kind === 'u' ? 'd' : kind,
    };
    if (kind === 's' || kind === 'r' || kind === 'a')
      return place(clipped(kind === 's' ? textOf(value) : quoted(value), digits), { ...spec, zero: false });
    if (kind === 'c') return place(typeof value === 'number' ? String.fromCodePoint(value) : textOf(value), spec);
    return formatNumber(value, spec, true);
  });
  if (!named && !(values instanceof Map) && next < given.length)
    throw new JinjaError('not all arguments converted during string formatting');
  return text;
}

/** `template.format(...)`. */
export function braces(template: string, args: Value[], keywords: Keywords): string {
  let next = 0;
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (all, inner: string | undefined) => {
    if (all === '{{' || all === '}}') return all[0]!;
    if (inner === undefined) throw new JinjaError("Single '{' or '}' encountered in format string");
    const parts = /^([^!:]*)(?:!([rsa]))?(?::(.*))?$/s.exec(inner);
    if (!parts) throw new JinjaError(`'${inner}' is no field of a format`);
    const [, path = '', conversion, spec] = parts;
    const [, base = '', rest = ''] = /^([^.[]*)(.*)$/s.exec(path) ?? [];
    const found = base === '' ? args[next++] : /^\d+$/.test(base) ? args[Number(base)] : keywords.get(base);
    if (found === undefined) throw new JinjaError(`no value '${base}' for the format`);
    const value = follow(found, rest);
    if (conversion === 'r' || conversion === 'a') return formatted(quoted(value), spec ?? '');
    return formatted(conversion === 's' ? textOf(value) : value, spec ?? '');
  });
}

/** `[key]` after a field's name; attributes of objects are not for templates. */
function follow(value: Value, path: string): Value {
  if (path === '') return value;
  const [all, key = ''] = /^\[([^\]]+)\]/.exec(path) ?? [];
  const inner = value instanceof Map ? value.get(key) : Array.isArray(value) ? value[Number(key)] : undefined;
  if (all === undefined || inner === undefined) throw new JinjaError(`no value '${path}' for the format`);
  return follow(inner, path.slice(all.length));
}

interface Spec {
  fill: string;
  align: string;
  sign: string;
  alternate: boolean;
  zero: boolean;
  width: number;
  comma: string;
  precision: number | null;
  kind: string;
}

function formatted(value: Value, text: string): string {
  if (text === '') return textOf(value);
  const match = /^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su.exec(text);
  if (!match) throw new JinjaError(`Invalid format specifier '${text}'`);
  const [, fill, align, sign, alternate, zero, width, comma, precision, kind] = match;
  const isText = numberOf(value) === null || (typeof value === 'boolean' && kind === undefined);
  const spec: Spec = {
    fill: fill ?? ' ',
    align: align ?? (isText ? '<' : '>'),
    sign: sign ?? '-',
    alternate: alternate !== undefined,
    zero: zero !== undefined && align === undefined,
    width: Number(width ?? 0),
    comma: comma ?? '',
    precision: precision === undefined ? null : Number(precision),
    kind: kind ?? '',
  };
  if (!isText) return formatNumber(value, spec, false);
  if (kind !== undefined && kind !== 's')
    throw new JinjaError(`Unknown format code '${kind}' for object of type '${typeName(value)}'`);
  return place(clipped(textOf(value), spec.precision), { ...spec, zero: false });
}

function clipped(text: string, most: number | null): string {
  return most === null ? text : points(text).slice(0, most).join('');
}

function formatNumber(value: Value, spec: Spec, truncates: boolean): string {
  const number = numberOf(value);
  if (number === null) throw new JinjaError(`%${spec.kind} format: a real number is required, not ${typeName(value)}`);
  const size = Math.abs(number);
  const negative = number < 0 || Object.is(number, -0);
  const sign = negative ? '-' : spec.sign === '-' ? '' : spec.sign;
  const body = digitsOf(size, value, spec, truncates);
  const grouped = spec.comma === '' ? body : body.replace(/^\d+/, (whole) => group(whole, spec.comma));
  if (spec.zero) return sign + grouped.padStart(checked(spec.width) - sign.length, '0');
  if (spec.align === '=') return sign + grouped.padStart(checked(spec.width) - sign.length, spec.fill);
  return place(sign + grouped, spec);
}

function digitsOf(size: number, value: Value, spec: Spec, truncates: boolean): string {
  const { kind, alternate } = spec;
  const precision = Math.min(spec.precision ?? 6, 100);
  const bases: Record<string, [number, string]> = { b: [2, '0b'], o: [8, '0o'], x: [16, '0x'], X: [16, '0X'] };
  const base = bases[kind];
  if (base || kind === 'd' || kind === 'n') {
    if (value instanceof Float && !truncates)
      throw new JinjaError(`Unknown format code '${kind}' for object of type 'float'`);
    const text = Math.trunc(size).toString(base?.[0] ?? 10);
    const digits = kind === 'X' ? text.toUpperCase() : text;
    return (alternate && base ? base[1] : '') + digits.padStart(spec.precision ?? 0, '0');
  }
  switch (kind) {
    case 'f':
    case 'F':
      return size.toFixed(precision);
    case '%':
      return `${(size * 100).toFixed(precision)}%`;
    case 'e':
    case 'E': {
      const text = exponent(size.toExponential(precision));
      return kind === 'E' ? text.toUpperCase() : text;
    }
    case 'g':
    case 'G':
      return general(size, precision || 1);
    default:
      if (spec.precision !== null) return general(size, precision || 1);
      return textOf(value instanceof Float ? new Float(size) : size);
  }
}

function general(size: number, precision: number): string {
  const power = size === 0 ? 0 : Number(size.toExponential(precision - 1).split('e')[1]);
  if (power < -4 || power >= precision) return exponent(size.toExponential(precision - 1).replace(/\.?0+e/, 'e'));
  const text = size.toFixed(Math.max(precision - 1 - power, 0));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function group(digits: string, separator: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, separator);
}

function checked(width: number): number {
  if (width > WIDEST) throw new JinjaError(`a field of ${width} characters; ${WIDEST} are the most`);
  return width;
}

function place(text: string, { width, align, fill }: Spec): string {
  const free = checked(width) - points(text).length;
  if (free <= 0) return text;
  if (align === '<') return text + fill.repeat(free);
  if (align === '^') return fill.repeat(Math.floor(free / 2)) + text + fill.repeat(Math.ceil(free / 2));
  return fill.repeat(free) + text;
}
