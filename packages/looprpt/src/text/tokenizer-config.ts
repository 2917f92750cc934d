/**
 * The small JSON files beside a Hugging Face tokenizer: which special tokens have a name, and the chat template.
 *
 * Only what is read here is checked; a `tokenizer_config.json` holds many other keys and they are left alone.
 * The ids that follow from the names are the business of `tokenizer.ts`: Ouro's released files name id 0 as bos, eos and
 * unk, which is right for plain documents and wrong for chat.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/user-error.js';

/** A special token is written as its text, or as an object that holds the text. */
const specialToken = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)])
  .nullish();

const tokenizerConfig = z.object({
  bos_token: specialToken,
  eos_token: specialToken,
  pad_token: specialToken,
  unk_token: specialToken,
  /** One template, or several with names, of which `default` is the usual one. */
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
});

export type TokenizerConfig = z.output<typeof tokenizerConfig>;

const tokenId = z.int().nonnegative();
const generationConfig = z.object({ eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish() });

/** The text of `path`, or null when there is no such file. */
export async function readOptional(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new UserError(`${path}: cannot be read (${error.code ?? error.message})`);
  });
}

/** What a library's error says, on one line. */
export function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
}

/** Parses JSON that a user gave; `path` is for the message. */
export function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: not valid JSON (${oneLine(error)}); the file is damaged or incomplete`);
  }
}

/**
 * `tokenizer_config.json` of a folder, completed by `special_tokens_map.json`; empty when there is neither.
 * @throws UserError when a file is not JSON or a key has the wrong type.
 */
export async function readTokenizerConfig(dir: string): Promise<TokenizerConfig> {
  let config: TokenizerConfig = {};
  for (const name of ['special_tokens_map.json', 'tokenizer_config.json']) {
    const path = join(dir, name);
    const text = await readOptional(path);
    if (text === null) continue;
    const parsed = tokenizerConfig.safeParse(parseJson(path, text));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new UserError(`${path}: ${issue?.path.join('.') || 'top level'}: ${issue?.message}`);
    }
    const given = Object.entries(parsed.data).filter(([, value]) => value != null);
    config = { ...config, ...Object.fromEntries(given) };
  }
  return config;
}

/** The end tokens that a folder's `generation_config.json` lists; none without that file. @throws UserError as above */
export async function readGenerationEnds(dir: string): Promise<number[]> {
  const path = join(dir, 'generation_config.json');
  const text = await readOptional(path);
  if (text === null) return [];
  const parsed = generationConfig.safeParse(parseJson(path, text));
  if (!parsed.success) throw new UserError(`${path}: eos_token_id: give the id of the end token, or several in a list`);
  return [parsed.data.eos_token_id ?? []].flat();
}
