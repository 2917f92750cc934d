/**
 * Whether node_modules holds what package-lock.json asks for. npm writes its record of an installation last, so an
 * interrupted one counts as none; an installation made by hand that agrees with the lock file is left as it is.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** @typedef {{ version?: string, integrity?: string, resolved?: string, link?: boolean, optional?: boolean }} LockEntry */

/**
 * @param {string} file
 * @returns {Record<string, LockEntry>} entries by their place
 */
const readLock = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/**
 * @param {string} root of the workspace
 * @returns {boolean}
 */
export function packagesAreInstalled(root) {
  const wantedFile = path.join(root, 'package-lock.json');
  const installedFile = path.join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = readLock(installedFile);
  // without a lock file the only question is whether anything was installed
  const wanted = existsSync(wantedFile) ? readLock(wantedFile) : installed;
  return Object.entries(wanted).every(([place, entry]) => {
    if (!place.startsWith('node_modules/') && !place.includes('/node_modules/')) return true; // the workspace's own
    const present = installed[place];
    if (present === undefined) return entry.optional === true; // for other platforms
    return (
      present.version === entry.version &&
      present.integrity === entry.integrity &&
      existsSync(path.join(root, place, 'package.json'))
    );
  });
}
