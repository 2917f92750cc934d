import { expect, test } from 'vitest';
import { planAsText, planInstall, readDistributions } from './install-plan.mjs';

/** @type {import('./install-plan.mjs').Machine} */
const debianRoot = { platform: 'linux', distributions: ['debian'], hasApt: true, rights: 'root' };

test('Debian as root: index first, which may fail, then the packages', () => {
  expect(planInstall(debianRoot, ['libtorch'])).toEqual({
    kind: 'run',
    packages: ['libtorch-dev', 'libopenblas0-openmp'],
    steps: [
      {
        command: ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'update', '-o', 'DPkg::Lock::Timeout=300'],
        mayFail: true,
      },
      {
        command: [
          'env',
          'DEBIAN_FRONTEND=noninteractive',
          'apt-get',
          'install',
          '-y',
          '--no-install-recommends',
          '-o',
          'DPkg::Lock::Timeout=300',
          'libtorch-dev',
          'libopenblas0-openmp',
        ],
        mayFail: false,
      },
    ],
  });
});

test('with sudo that asks for no password, every step goes through it and cannot stop to ask', () => {
  const plan = planInstall({ ...debianRoot, rights: 'sudo' }, ['compiler']);
  expect(plan.kind).toBe('run');
  for (const { command } of plan.kind === 'run' ? plan.steps : []) {
    expect(command.slice(0, 4)).toEqual(['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive']);
  }
  expect(planAsText(plan)).toMatch(/ g\+\+$/);
});

test('without rights: the command for the user', () => {
  const plan = planInstall({ ...debianRoot, rights: 'none' }, ['libtorch', 'compiler']);
  expect(plan).toEqual({
    kind: 'tell',
    lines: [
      'sudo apt-get update && sudo apt-get install -y --no-install-recommends libtorch-dev libopenblas0-openmp g++',
    ],
  });
});

test('a package that two needs share is named once', () => {
  const plan = planInstall(debianRoot, ['libtorch', 'blas', 'compiler']);
  expect(plan.kind === 'run' && plan.packages).toEqual(['libtorch-dev', 'libopenblas0-openmp', 'g++']);
});

test('elsewhere nothing is run', () => {
  const mac = planInstall({ platform: 'darwin', distributions: [], hasApt: false, rights: 'none' }, ['libtorch']);
  expect(mac).toEqual({ kind: 'tell', lines: ['brew install pytorch'] });
  const fedora = planInstall({ ...debianRoot, distributions: ['fedora'], hasApt: false }, ['libtorch', 'compiler']);
  expect(fedora.kind === 'tell' && fedora.lines).toHaveLength(2);
  const noApt = planInstall({ ...debianRoot, hasApt: false }, ['libtorch']);
  expect(noApt.kind).toBe('tell');
});

test('/etc/os-release', () => {
  expect(readDistributions('PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n')).toEqual(['debian']);
  const mint = 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n';
  expect(readDistributions(mint)).toEqual(['linuxmint', 'ubuntu', 'debian']);
  expect(planInstall({ ...debianRoot, distributions: readDistributions(mint) }, ['blas']).kind).toBe('run');
  expect(readDistributions('')).toEqual([]);
});
