/**
 * What set-up throws when the user has to do something: the message says what is wrong and how to mend it.
 * Exit code 1: something is missing or mis-set; 2: the addon did not compile, link or load.
 */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {1 | 2} exitCode
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}

/** A variable of the environment that names something of no use. */
export class SettingError extends SetupError {
  /**
   * @param {string} variable
   * @param {string} what is wrong with it, beginning with `VARIABLE=value`
   * @param {string} choices what it can be set to
   */
  constructor(variable, what, choices) {
    super(`${what}. Set it to ${choices}; or unset it.`);
    this.variable = variable;
    this.what = what;
  }
}

/**
 * @param {unknown} error
 * @returns {unknown} faults of the machine (no permission, a full disk) as one line, all others as they are
 */
export function asSetupError(error) {
  const { code, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
  if (!(error instanceof Error) || code === undefined || syscall === undefined) return error;
  return new SetupError(`set-up cannot go on: ${error.message}`);
}
