/** What loading a spoiled checkpoint folder says; for tests. */
import { liveTensors } from '@looprpt/engine';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { loadModel } from 'looprpt/internal/checkpoint/folder.js';
import { expect } from 'vitest';

/** The one line that loading a folder is refused with, without the folder's path. */
export function loadRefusal(dir: string): string {
  const before = liveTensors();
  let error: unknown;
  try {
    loadModel(dir).dispose();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UserError);
  expect(liveTensors()).toBe(before);
  const { message } = error as UserError;
  expect(message).toMatch(/^[^\n]+$/);
  expect(message.startsWith(dir)).toBe(true);
  return message.slice(dir.length).replace(/^\//, '');
}
