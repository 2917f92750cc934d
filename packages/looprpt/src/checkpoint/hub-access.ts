/**
 * Which Hub, as whom, and whether at all: from the environment, as Python's `huggingface_hub` reads it. HF_ENDPOINT, HF_HUB_OFFLINE,
 * HF_HOME, HF_HUB_CACHE, HF_TOKEN, and the login's token in HF_TOKEN_PATH.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HUB_URL } from '@huggingface/hub';

export interface Hub {
  url: string;
  /** For requests; says who asks to the Hub, and to nobody that it sends us to. */
  fetch: typeof fetch;
  /** Whether requests carry a token. */
  isKnown: boolean;
}

export function hubFromEnvironment(): Hub {
  const url = (process.env.HF_ENDPOINT || HUB_URL).replace(/\/+$/, '');
  const token = accessToken();
  const origin = URL.canParse(url) ? new URL(url).origin : null;
  // The library's own parameter takes tokens of one form only, and other Hubs have others.
  const asUser: typeof fetch = (input, init) => {
    const request = new Request(input, init);
    if (token !== null && new URL(request.url).origin === origin)
      request.headers.set('authorization', `Bearer ${token}`);
    return fetch(request);
  };
  return { url, fetch: asUser, isKnown: token !== null };
}

export function isOffline(): boolean {
  return isSet(process.env.HF_HUB_OFFLINE || process.env.TRANSFORMERS_OFFLINE);
}

/** The folder that holds `models--owner--name` and the like. */
export function cacheFolder(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  return fromHome(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home(), 'hub'));
}

/** HF_TOKEN goes before the login's. */
function accessToken(): string | null {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_TOKEN_PATH } = process.env;
  if (isSet(HF_HUB_DISABLE_IMPLICIT_TOKEN)) return null;
  const given = cleaned(HF_TOKEN) ?? cleaned(HUGGING_FACE_HUB_TOKEN);
  if (given !== null) return given;
  try {
    return cleaned(readFileSync(fromHome(HF_TOKEN_PATH || join(home(), 'token')), 'utf8'));
  } catch {
    return null;
  }
}

function home(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return fromHome(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'));
}

function fromHome(path: string): string {
  return path.replace(/^~(?=\/|$)/, homedir());
}

function cleaned(token: string | undefined): string | null {
  return token?.replace(/[\r\n]/g, '').trim() || null;
}

function isSet(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}
