/** What the Hub's answers and the network's failures mean for who asked. */
import type { HubApiError } from '@huggingface/hub';
import { oneLine } from '../text/tokenizer-config.js';
import type { Hub } from './hub-access.js';

/** @param path of the repository's page */
export function hubFault({ statusCode }: HubApiError, path: string, hub: Hub): string {
  switch (statusCode) {
    case 401:
      return `${hub.url} shows it to ${hub.isKnown ? 'others than the owner of this token' : 'nobody without a token; set HF_TOKEN'}`;
    case 403:
      return `access is restricted; accept the conditions at ${hub.url}/${path} and set HF_TOKEN`;
    case 404:
      return `no such repository, revision or file on ${hub.url}`;
    default:
      return `${hub.url} answered with status ${statusCode}; try again later`;
  }
}

/** What failed on the way to the Hub, with its cause. */
export function networkFault(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return oneLine(error) + cause;
}
