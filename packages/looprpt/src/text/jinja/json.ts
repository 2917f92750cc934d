/** `tojson` as transformers defines it: Python's `json.dumps` without the escaping for HTML. */
import { floatText } from './python-text.js';
import { bind, Float, isTrue, JinjaError, type Keywords, typeName, type Value } from './values.js';

interface Layout {
  ascii: boolean;
  /** What one step inwards is indented by; null keeps all on one line. */
  indent: string | null;
  item: string;
  key: string;
  sorted: boolean;
}

export function toJson(value: Value, args: Value[], keywords: Keywords): string {
  const [ascii, indent, separators, sorted] = bind(
    'tojson',
    ['ensure_ascii', 'indent', 'separators', 'sort_keys'],
    args,
    keywords,
  );
  const step = typeof indent === 'number' ? ' '.repeat(Math.min(Math.max(indent, 0), 64)) : (indent ?? null);
  if (step !== null && typeof step !== 'string') throw new JinjaError('tojson: indent is a number or a string');
  const given = Array.isArray(separators) ? separators : [step === null ? ', ' : ',', ': '];
  const [item, key] = given;
  if (typeof item !== 'string' || typeof key !== 'string') throw new JinjaError('tojson: separators are two strings');
  const layout = { ascii: isTrue(ascii ?? false), indent: step, item, key, sorted: isTrue(sorted ?? false) };
  return write(value, layout, '\n');
}

function write(value: Value, layout: Layout, line: string): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'string') return text(value, layout);
  if (value instanceof Float) return number(value.value);
  const inner = layout.indent === null ? '' : line + layout.indent;
  if (Array.isArray(value))
    return group(
      '[]',
      value.map((item) => write(item, layout, inner)),
      layout,
      line,
    );
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]): [string, Value] => [keyText(key), item]);
    if (layout.sorted) entries.sort(([a], [b]) => (a < b ? -1 : 1));
    const written = entries.map(([key, item]) => text(key, layout) + layout.key + write(item, layout, inner));
    return group('{}', written, layout, line);
  }
  throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function group(brackets: string, parts: string[], { indent, item }: Layout, line: string): string {
  const [open, close] = brackets as unknown as [string, string];
  if (parts.length === 0) return open + close;
  return indent === null
    ? open + parts.join(item) + close
    : open + line + indent + parts.join(item + line + indent) + line + close;
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  return key instanceof Float ? number(key.value) : String(key);
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? floatText(value) : `${value}`;
}

function text(value: string, { ascii }: Layout): string {
  const written = JSON.stringify(value);
  if (!ascii) return written;
  return written.replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
