/** `@looprpt/engine/node-version`: read before anything that a too old Node could not. */

/** @returns one line, or null where this Node is new enough */
export function complaintOfNode(version?: string): string | null;
