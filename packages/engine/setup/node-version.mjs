/**
 * Whether this Node is new enough, as package.json has it. Kept in a syntax that old versions still read.
 */
import { readFileSync } from 'node:fs';

/**
 * @param {string} [version]
 * @returns {string | null} one line, or null where it is new enough
 */
export function complaintOfNode(version = process.versions.node) {
  const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const oldest = Number.parseInt(engines.node.replace(/^\D+/, ''), 10);
  if (Number.parseInt(version, 10) >= oldest) return null;
  return `Node ${oldest} or newer is needed; this is v${version}. Install it from https://nodejs.org or with a version manager.`;
}
