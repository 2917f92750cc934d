/** A configuration as one text by key path, to compare two of them and to name where they differ. */

/** @returns JSON by `group.key` */
export function flatConfig(value: unknown, key = ''): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { [key]: JSON.stringify(value) ?? '' };
  return Object.assign(
    {},
    ...Object.entries(value).map(([name, inner]) => flatConfig(inner, key === '' ? name : `${key}.${name}`)),
  ) as Record<string, string>;
}

/** The keys whose texts differ, in the order of the alphabet. */
export function differingPaths(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().filter((key) => a[key] !== b[key]);
}

/** A value for a message. */
export function shownValue(text: string | undefined): string {
  if (text === undefined) return 'not set';
  return text.length > 60 ? `${text.slice(0, 24)}…` : text;
}
