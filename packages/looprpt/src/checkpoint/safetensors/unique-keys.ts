/** Finds what `JSON.parse` hides: a key that stands twice in one object, of which only the last would be seen. */

/**
 * @param json text that `JSON.parse` accepts
 * @returns the first key that stands twice in the same object, or null
 */
export function duplicateKey(json: string): string | null {
  // A string, or a bracket. Strings are matched whole, so that brackets inside them do not count.
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;
  const open: (Set<string> | null)[] = [];
  for (let match = tokens.exec(json); match !== null; match = tokens.exec(json)) {
    const [token] = match;
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (isKey(json, tokens.lastIndex)) {
      const keys = open.at(-1)!;
      // Escapes can spell one key in two ways.
      const key = JSON.parse(token) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

function isKey(json: string, end: number): boolean {
  while (/\s/.test(json.charAt(end))) end++;
  return json.charAt(end) === ':';
}
