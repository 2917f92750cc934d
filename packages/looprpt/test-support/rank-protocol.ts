/** What a rank's process in a test writes for the test to wait for. */
export const STARTS = 'a job starts';
export const stepLine = (step: number): string => `step ${step} done`;
