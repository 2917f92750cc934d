/**
 * Lists whose check ends at the first wrong entry, and before the first one where there are too many. A list of a request may have
 * as many entries as its body has bytes; a list of what is wrong with each of them is work for an attacker's sake.
 */
import { z } from '@hono/zod-openapi';

interface Bounds {
  least?: number;
  most: number;
}

/** As `z.array(entry)`, with one thing wrong at most. */
export function list<S extends z.ZodType>(entry: S, { least = 0, most }: Bounds) {
  const described = z.array(entry).min(least).max(most);
  return z
    .unknown()
    .transform((value, context): z.output<S>[] => {
      if (!isList(value, context, { least, most })) return z.NEVER;
      const entries: z.output<S>[] = [];
      for (const [i, one] of value.entries()) {
        const { success, data, error } = entry.safeParse(one);
        if (success) entries.push(data);
        else {
          const issue = error.issues[0]!;
          context.issues.push({ ...issue, path: [i, ...issue.path], input: one } as z.core.$ZodRawIssue);
          return z.NEVER;
        }
      }
      return entries;
    })
    .openapi(asDescribed(described));
}

/** Token ids, which may be many: checked without a schema for each. */
export function idList(bounds: Bounds) {
  return z
    .unknown()
    .transform((value, context): number[] => {
      if (!isList(value, context, bounds)) return z.NEVER;
      const wrong = value.findIndex((id) => !(Number.isSafeInteger(id) && (id as number) >= 0));
      if (wrong < 0) return value as number[];
      context.issues.push({
        code: 'custom',
        path: [wrong],
        message: 'not a token id, which is a whole number from 0',
        input: value[wrong],
      });
      return z.NEVER;
    })
    .openapi(
      asDescribed(
        z
          .array(z.int().min(0))
          .min(bounds.least ?? 0)
          .max(bounds.most),
      ),
    );
}

function isList(value: unknown, context: z.core.ParsePayload, { least = 0, most }: Bounds): value is unknown[] {
  if (!Array.isArray(value)) {
    context.issues.push({ code: 'invalid_type', expected: 'array', input: value });
    return false;
  }
  if (value.length >= least && value.length <= most) return true;
  const message =
    value.length < least ? `at least ${least} are needed` : `${value.length} entries; ${most} are the most`;
  context.issues.push({ code: 'custom', message, input: value });
  return false;
}

/** What the description for machines says of a list. */
function asDescribed(schema: z.ZodType): object {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return described;
}
