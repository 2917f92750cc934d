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
