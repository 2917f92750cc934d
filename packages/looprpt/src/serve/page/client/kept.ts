/**
 * What the browser keeps for the page: a few texts by name, for this tab or for good. A browser may refuse any of it, by its settings or
 * for want of room: then nothing is kept, and the page goes on as without.
 *
 * Never holds the API key.
 */

/** Of this tab through its reloads, or of all visits. */
export type Keeping = 'tab' | 'visits';

/** @returns null where nothing is kept, or the browser refuses */
export function readKept(name: string, keeping: Keeping): string | null {
  try {
    return storage(keeping).getItem(name);
  } catch {
    return null;
  }
}

/** @param text null forgets it; so does a browser that has no room for it, so that nothing older comes back in its place */
export function keep(name: string, text: string | null, keeping: Keeping): void {
  try {
    storage(keeping).removeItem(name);
    if (text !== null) storage(keeping).setItem(name, text);
  } catch {
    // Refused: the reader loses what a reload would have kept, nothing else.
  }
}

/** Naming it is what some browsers refuse. */
const storage = (keeping: Keeping): Storage => (keeping === 'tab' ? sessionStorage : localStorage);
