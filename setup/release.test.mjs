/** What stands in the way of a release is said, and packages are published only where it can be proved where they were built. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PUBLISHED, root } from './packed.mjs';
import { obstacles, repositoryAddress } from './release.mjs';

const engine = { name: '@looprpt/engine', version: '1.2.3' };
const looprpt = { name: 'looprpt', version: '1.2.3', dependencies: { '@looprpt/engine': '1.2.3', hono: '^4.0.0' } };
const changelog = '# Changelog\n\n## Unreleased\n\n## 1.2.3\n';

describe('a release', () => {
  it('has one version, pinned and told', () => {
    expect(obstacles([engine, looprpt], '1.2.3', changelog)).toEqual([]);
  });

  it('is held up by a version apart, a stale pin, a missing section', () => {
    expect(obstacles([engine, looprpt], '1.2.4', changelog)).toHaveLength(3);
    expect(obstacles([{ ...engine, version: '1.2.4' }, looprpt], '1.2.3', changelog)).toEqual([
      '@looprpt/engine is 1.2.4 and the workspace 1.2.3: give them one version',
      'looprpt wants @looprpt/engine 1.2.3, which is 1.2.4',
    ]);
    expect(obstacles([engine, looprpt], '1.2.3', '## 1.2.30\n')).toEqual(['CHANGELOG.md has no section “## 1.2.3”']);
  });

  it('takes its address from the workflow alone', () => {
    const workflow = { GITHUB_SERVER_URL: 'https://host.example', GITHUB_REPOSITORY: 'owner/name' };
    expect(repositoryAddress(workflow)).toBeNull();
    expect(repositoryAddress({ ...workflow, ACTIONS_ID_TOKEN_REQUEST_URL: 'https://host.example/token' })).toBe(
      'git+https://host.example/owner/name.git',
    );
  });

  it('is refused elsewhere, before anything is packed', () => {
    const { ACTIONS_ID_TOKEN_REQUEST_URL: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [path.join(root, 'setup/release.mjs'), '--publish'],
      { env, encoding: 'utf8' },
    );
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/CHANGELOG\.md has no section|not committed|publish\.yml/);
  });
});

it.each(PUBLISHED)('%s is public, with provenance, and names no address', (folder) => {
  const manifest = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
  expect(manifest.publishConfig).toEqual({ access: 'public', provenance: true });
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['repository']));
  expect(JSON.stringify(manifest)).not.toMatch(/https?:/);
});
