/**
 * What to run, or what to tell the user to run, so that a machine gets what it lacks. Pure: facts in, plan out;
 * install.mjs gathers the facts and carries the plan out.
 */

/** @typedef {'libtorch' | 'blas' | 'compiler'} Need */

/**
 * @typedef {object} Machine
 * @property {NodeJS.Platform} platform
 * @property {string[]} distributions `ID` and `ID_LIKE` of /etc/os-release
 * @property {boolean} hasApt
 * @property {'root' | 'sudo' | 'none'} rights `sudo`: it asks for no password
 */

/**
 * @typedef {object} Step
 * @property {string[]} command
 * @property {boolean} mayFail a package index that cannot be refreshed may still be good enough
 */

/** @typedef {{ kind: 'run', steps: Step[], packages: string[] } | { kind: 'tell', lines: string[] }} InstallPlan */

/** Packages of Debian and Ubuntu. @type {Record<Need, string[]>} */
const DEBIAN_PACKAGES = {
  libtorch: ['libtorch-dev', 'libopenblas0-openmp'],
  blas: ['libopenblas0-openmp'],
  compiler: ['g++'],
};

/** Elsewhere. @type {Record<'darwin' | 'other', Record<Need, string>>} */
const ADVICE = {
  darwin: {
    libtorch: 'brew install pytorch',
    blas: 'brew install openblas',
    compiler: 'xcode-select --install',
  },
  other: {
    libtorch:
      'python3 -m pip install torch    # or unpack libtorch from https://pytorch.org/get-started/locally/ and set LIBTORCH to its folder',
    blas: 'install OpenBLAS as your distribution provides it',
    compiler: 'install g++ or clang++ as your distribution provides it, or set CXX to a C++17 compiler',
  },
};

const LOCK_PATIENCE = ['-o', 'DPkg::Lock::Timeout=300'];

/**
 * @param {Machine} machine
 * @param {Need[]} needs at least one
 * @returns {InstallPlan}
 */
export function planInstall(machine, needs) {
  if (!isDebian(machine)) {
    const advice = machine.platform === 'darwin' ? ADVICE.darwin : ADVICE.other;
    return { kind: 'tell', lines: needs.map((need) => advice[need]) };
  }
  const packages = [...new Set(needs.flatMap((need) => DEBIAN_PACKAGES[need]))];
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...LOCK_PATIENCE, ...packages];
  if (machine.rights === 'none') {
    const byHand = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
    return { kind: 'tell', lines: [`sudo apt-get update && sudo ${byHand.join(' ')}`] };
  }
  // sudo clears the environment, hence `env`
  const prefix = [...(machine.rights === 'sudo' ? ['sudo', '-n'] : []), 'env', 'DEBIAN_FRONTEND=noninteractive'];
  return {
    kind: 'run',
    packages,
    steps: [
      { command: [...prefix, 'apt-get', 'update', ...LOCK_PATIENCE], mayFail: true },
      { command: [...prefix, ...install], mayFail: false },
    ],
  };
}

/** @param {Machine} machine */
function isDebian({ platform, distributions, hasApt }) {
  return platform === 'linux' && hasApt && distributions.some((name) => name === 'debian' || name === 'ubuntu');
}

/**
 * @param {string} text of /etc/os-release
 * @returns {string[]} the distribution and those it is like
 */
export function readDistributions(text) {
  return [...text.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)]
    .flatMap(([, value = '']) =>
      value
        .trim()
        .replace(/^["']|["']$/g, '')
        .split(/\s+/),
    )
    .filter((name) => name !== '');
}

/**
 * The one line that brings what is missing, for a person to copy.
 * @param {InstallPlan} plan
 */
export function planAsText(plan) {
  return plan.kind === 'tell' ? plan.lines.join('\n') : plan.steps.map(({ command }) => command.join(' ')).join(' && ');
}
