import { describe, expect, it } from 'vitest';
import { taskConfig } from '../data/tasks/index.js';
import { otherSettings, taskSettings } from './task-settings.js';

const trained = taskConfig('hop', { compact: true, hops: 3 });
const base = { name: 'base', task: trained };

describe('the settings of an evaluation on a generated task', () => {
  it('are those that the model was trained on', () => {
    const { config, notes } = taskSettings('hop', {}, base);
    expect(config).toEqual(trained);
    expect(notes).toEqual(['task:hop as base was trained on it: hops=3 compact=true']);
  });

  it('are the only part of a mixture that is this task', () => {
    const part = (config: object) => ({ weight: 1, config });
    const mixture = taskConfig('mixture', { parts: [part({ task: 'mano' }), part(trained)] });
    expect(taskSettings('hop', {}, { name: 'base', task: mixture }).config).toEqual(trained);
    const twice = taskConfig('mixture', { parts: [part(trained), part({ task: 'hop' })] });
    expect(taskSettings('hop', {}, { name: 'base', task: twice })).toEqual({
      config: taskConfig('hop'),
      notes: [expect.stringMatching(/^warning: base was trained on task:mixture; /)],
    });
  });

  it('warn where what is set differs, and only there', () => {
    const other = taskSettings('hop', { hops: 5, compact: true }, base);
    expect(other.config).toEqual({ ...trained, hops: 5 });
    expect(other.notes).toEqual(['warning: task:hop differs from what base was trained on: hops is 5, in training 3']);
    expect(taskSettings('hop', { hops: 3 }, base).notes[0]).not.toContain('warning');
  });

  it('are the defaults, with a warning, where nobody knows', () => {
    expect(taskSettings('hop', { hops: 2 }, { name: 'x', task: null })).toEqual({
      config: taskConfig('hop', { hops: 2 }),
      notes: ['warning: x does not say what it was trained on; task:hop has its defaults but for what --set says'],
    });
    expect(taskSettings('mano', {}, base).notes[0]).toContain('base was trained on task:hop');
  });

  it('are held against the reference too', () => {
    expect(otherSettings(trained, base)).toBeNull();
    expect(otherSettings(trained, { name: 'text', task: null })).toBeNull();
    expect(otherSettings(taskConfig('hop', { compact: true, hops: 4 }), base)).toContain('hops is 4, in training 3');
    expect(otherSettings(taskConfig('mano'), base)).toContain('was trained on task:hop');
  });
});
