import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Job, type PassRow, Scheduler } from './scheduler.js';

/** A job with invented exits: token n of it is read off after `exits[n]` loops and runs `ends[n]`; the job ends with its last exit. */
interface Replay extends Job {
  name: number;
  at: number;
  pages: number;
  exits: number[];
  ends: number[];
}

interface Log {
  /** By pass, "job:position:loop" of every row. */
  passes: string[][];
  /** By job, the pass at which each decoded token exited. */
  left: number[][];
}

interface Limits {
  maxSequences: number;
  prefillRows: number;
  pages: number;
}

const label = ({ name }: Replay, position: number, loop: number): string => `${name}:${position}:${loop}`;

function replay(jobs: Replay[], { maxSequences, prefillRows, pages }: Limits): Log {
  let free = pages;
  const scheduler = new Scheduler<Replay>({
    maxSequences,
    prefillRows,
    admit: (job) => {
      if (job.pages > free) return false;
      free -= job.pages;
      return true;
    },
  });
  const log: Log = { passes: [], left: jobs.map(() => []) };
  const kept = new Set<string>();
  for (let n = 0; ; n++) {
    for (const job of jobs) if (job.at === n) scheduler.add(job);
    const { rows, kept: aside } = scheduler.plan();
    if (rows.length === 0 && !jobs.some(({ at }) => at > n)) return log;
    const before = log.passes.at(-1);
    const name = ({ job, position, loop }: PassRow<Replay>): string => label(job, position, loop);
    for (const { job, position, row } of aside) {
      expect(before![row]).toMatch(`${job.name}:${position}:`);
      kept.add(before![row]!);
    }
    for (const row of rows) {
      const state = label(row.job, row.position, row.loop - 1);
      if (row.source === null) expect(row.loop).toBe(0);
      else if (row.source === 'kept') expect(kept.delete(state)).toBe(true);
      else expect(before![row.source]).toBe(state);
    }
    expect(rows.filter(({ isPrompt }) => isPrompt).length).toBeLessThanOrEqual(prefillRows);
    expect(rows.filter(({ job, isOwed }) => isOwed && job.defers).length).toBeLessThanOrEqual(prefillRows);
    log.passes.push(rows.map(name));
    const outcomes = rows.map(({ job, position, loop, isOwed }) => {
      expect(isOwed).toBe(loop >= job.exits[position]!);
      return { next: loop + 1 === job.exits[position], drops: false, ends: loop + 1 === job.ends[position] };
    });
    scheduler.settle(rows, outcomes);
    for (const [index, { next }] of outcomes.entries()) {
      const { job, position, isPrompt } = rows[index]!;
      if (!next || isPrompt) continue;
      log.left[job.name]!.push(n);
      if (position < job.exits.length - 1) continue;
      expect(scheduler.remove(job)).toBe(true);
      free += job.pages;
    }
  }
}

/**
 * By definition, a pass at a time: who is in; every decoding job's token moves, and so do those that owe loops, deferred ones only
 * with it at its loop, as many as there is room for and the token itself after the last of them; the prompts' tokens that are under
 * way move, then new chunks start where there is room, oldest job first.
 */
function simulate(jobs: Replay[], { maxSequences, prefillRows, pages }: Limits): Log {
  const log: Log = { passes: [], left: jobs.map(() => []) };
  const queue: Replay[] = [];
  interface Inside {
    job: Replay;
    chunk: number[];
    nextPrompt: number;
    position: number;
    loop: number;
    owed: { position: number; loop: number }[];
    /** Of them, those that run in this pass. */
    due: { position: number; loop: number }[];
    /** Too much is owed for its token to run, or others of its stride stand within theirs. */
    waits: boolean;
  }
  const inside: Inside[] = [];
  for (let n = 0; ; n++) {
    queue.push(...jobs.filter(({ at }) => at === n));
    const used = () => inside.reduce((sum, { job }) => sum + job.pages, 0);
    while (queue.length > 0 && inside.length < maxSequences && used() + queue[0]!.pages <= pages)
      inside.push({
        job: queue[0]!,
        chunk: [],
        nextPrompt: queue.shift()!.promptBegun,
        position: -1,
        loop: 0,
        owed: [],
        due: [],
        waits: false,
      });
    for (const one of inside)
      if (one.position < 0 && one.nextPrompt === one.job.promptTokens && one.chunk.length === 0) {
        one.position = one.job.promptTokens;
        one.loop = 0;
      }
    let room = prefillRows - inside.reduce((sum, { chunk }) => sum + chunk.length, 0);
    for (const one of inside) {
      if (one.chunk.length > 0) continue;
      one.loop = one.position < 0 ? 0 : one.loop;
      while (room > 0 && one.nextPrompt < one.job.promptTokens) {
        one.chunk.push(one.nextPrompt++);
        room--;
      }
    }
    const rows: string[] = [];
    let deferred = prefillRows;
    const within = inside.filter(({ position, loop }) => position >= 0 && loop > 0).map(({ job }) => job.stride);
    for (const one of inside) {
      one.due = one.owed.filter(({ loop }) => !one.job.defers || loop === one.loop);
      one.waits = one.job.defers && one.due.length > deferred;
      if (one.waits) one.due.length = deferred;
      if (one.job.defers) deferred -= one.due.length;
      if (one.due.length === 0 && one.loop === 0 && one.position >= 0 && one.job.stride !== null)
        one.waits = within.includes(one.job.stride);
      if (one.position >= 0 && !one.waits) rows.push(label(one.job, one.position, one.loop));
      for (const token of one.due) rows.push(label(one.job, token.position, token.loop));
    }
    for (const { job, chunk, loop } of inside) for (const position of chunk) rows.push(label(job, position, loop));
    if (rows.length === 0 && queue.length === 0 && !jobs.some(({ at }) => at > n)) return log;
    log.passes.push(rows.sort());
    for (const one of [...inside]) {
      for (const token of one.due) token.loop++;
      if (!one.waits) one.loop++;
      one.chunk = one.chunk.filter((position) => one.job.exits[position]! > one.loop);
      one.owed = one.owed.filter(({ position, loop }) => one.job.ends[position]! > loop);
      if (one.waits || one.position < 0 || one.job.exits[one.position]! > one.loop) continue;
      log.left[one.job.name]!.push(n);
      if (one.job.ends[one.position]! > one.loop) one.owed.push({ position: one.position, loop: one.loop });
      one.loop = 0;
      if (++one.position === one.job.exits.length) inside.splice(inside.indexOf(one), 1);
    }
  }
}

const jobsArbitrary = fc
  .array(
    fc.record({
      at: fc.nat(15),
      pages: fc.integer({ min: 1, max: 4 }),
      prompt: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 7 }),
      begun: fc.nat(7),
      text: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      // 0: every token ends with its exit.
      least: fc.constantFrom(0, 3, 4, 4),
      defers: fc.boolean(),
      keepsStep: fc.boolean(),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((jobs) =>
    jobs
      .sort((a, b) => a.at - b.at)
      .map(({ at, pages, prompt, begun, text: any, least, defers, keepsStep }, name) => {
        const text = keepsStep ? any.map(() => any[0]!) : any;
        return {
          name,
          at,
          pages,
          defers,
          joinsPrompt: false,
          stride: keepsStep ? any[0]! : null,
          promptTokens: prompt.length,
          promptBegun: Math.min(begun, prompt.length),
          exits: [...prompt, ...text],
          // What is owed beside a token keeps no step.
          ends: [...prompt, ...text.map((loops) => (keepsStep && !defers ? loops : Math.max(loops, least)))],
        };
      }),
  );
const limitsArbitrary = fc.record({
  maxSequences: fc.integer({ min: 1, max: 4 }),
  prefillRows: fc.integer({ min: 1, max: 5 }),
  pages: fc.integer({ min: 4, max: 9 }),
});

describe('the scheduler', () => {
  it('replays invented exits as the simulation does, and every row goes on from the right one', () => {
    fc.assert(
      fc.property(jobsArbitrary, limitsArbitrary, (jobs, limits) => {
        const real = replay(jobs, limits);
        const simulated = simulate(jobs, limits);
        expect(real.left).toEqual(simulated.left);
        expect(real.passes.map((rows) => [...rows].sort())).toEqual(simulated.passes);
      }),
    );
  });

  it('lets no decoding sequence wait but for its step: from its first to its last decoded token, one loop a pass', () => {
    fc.assert(
      fc.property(jobsArbitrary, limitsArbitrary, (jobs, limits) => {
        // More than all of them ever owe.
        const { passes, left } = replay(jobs, { ...limits, prefillRows: 50 });
        for (const job of jobs) {
          const text = job.exits.slice(job.promptTokens);
          const first = passes.findIndex((rows) => rows.includes(label(job, job.promptTokens, 0)));
          const ends = text.map((_, i) => first - 1 + text.slice(0, i + 1).reduce((sum, loops) => sum + loops, 0));
          expect(left[job.name]).toEqual(ends);
        }
      }),
    );
  });

  it('keeps jobs of one stride in step, and lets each wait once, for less than a token', () => {
    fc.assert(
      fc.property(jobsArbitrary, limitsArbitrary, fc.integer({ min: 1, max: 4 }), (some, limits, stride) => {
        const jobs = some.map((job) => {
          const exits = job.exits.slice(job.promptTokens).map(() => stride);
          return { ...job, stride, promptTokens: 0, promptBegun: 0, exits, ends: exits };
        });
        const { passes, left } = replay(jobs, { ...limits, pages: 100, maxSequences: jobs.length });
        for (const rows of passes) expect(new Set(rows.map((row) => row.split(':')[2])).size).toBeLessThanOrEqual(1);
        for (const { name, at } of jobs) {
          expect(left[name]![0]! - at).toBeLessThan(2 * stride);
          for (const [n, pass] of left[name]!.slice(1).entries()) expect(pass - left[name]![n]!).toBe(stride);
        }
      }),
    );
  });

  it('starts decoding with the last tokens of a prompt, and says once that it has been read', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (tokens, room, first) => {
        const loops = 4;
        const job = { promptTokens: tokens, promptBegun: 0, defers: false, joinsPrompt: true, stride: null };
        const scheduler = new Scheduler<typeof job>({ maxSequences: 1, prefillRows: room, admit: () => true });
        scheduler.add(job);
        const chunks = Math.ceil(tokens / room);
        const read: number[] = [];
        // The first token leaves after `first` loops, the second one after all.
        let left = 0;
        for (let pass = 0; left < 2; pass++) {
          const { rows } = scheduler.plan();
          const isPromptsTurn = pass < chunks * loops;
          const chunk = Math.min(Math.floor(pass / loops), chunks - 1);
          const ofPrompt = rows.filter(({ isPrompt }) => isPrompt);
          expect(ofPrompt.map(({ position }) => position)).toEqual(
            isPromptsTurn
              ? Array.from({ length: Math.min(room, tokens - chunk * room) }, (_, n) => chunk * room + n)
              : [],
          );
          const started = pass - Math.max(0, chunks - 1) * loops;
          const decoding = rows.filter(({ isPrompt }) => !isPrompt).map(({ position, loop }) => ({ position, loop }));
          const expected =
            started < first ? { position: tokens, loop: started } : { position: tokens + 1, loop: started - first };
          expect(decoding).toEqual(started < 0 ? [] : [expected]);
          const outcomes = rows.map(({ position, loop, isPrompt }) => {
            const leaves = loop + 1 === (position === tokens ? first : loops);
            if (leaves && !isPrompt) left++;
            return { next: leaves && !isPrompt, drops: false, ends: leaves };
          });
          for (const one of scheduler.settle(rows, outcomes)) read.push(one === job ? pass : -1);
        }
        expect(read).toEqual(tokens === 0 ? [] : [chunks * loops - 1]);
      }),
    );
  });

  it('forgets a removed job, waiting or running, and carries the others on', () => {
    const job = (name: number): Replay => ({
      name,
      at: 0,
      pages: 1,
      defers: true,
      joinsPrompt: false,
      stride: null,
      promptTokens: 1,
      promptBegun: 0,
      exits: [2, 3, 3],
      ends: [2, 3, 3],
    });
    const [a, b, c] = [job(0), job(1), job(2)] as const;
    const scheduler = new Scheduler<Replay>({ maxSequences: 2, prefillRows: 8, admit: () => true });
    for (const each of [a, b, c]) scheduler.add(each);
    const goesOn = { next: false, drops: false, ends: false };
    scheduler.settle(scheduler.plan().rows, [goesOn, goesOn]);
    expect([scheduler.running, scheduler.waiting]).toEqual([2, 1]);
    expect(scheduler.remove(c)).toBe(false);
    expect(scheduler.remove(a)).toBe(true);
    const { rows } = scheduler.plan();
    expect(rows).toEqual([{ job: b, position: 0, loop: 1, isPrompt: true, source: 1, isOwed: false }]);
    expect(scheduler.settle(rows, [{ next: true, drops: false, ends: true }])).toEqual([b]);
    expect(scheduler.remove(b)).toBe(true);
    expect(scheduler.plan()).toEqual({ rows: [], kept: [], held: 0 });
  });

  it('drops what was started too early, and starts it anew', () => {
    const loops = 4;
    const verdict = fc.record({ next: fc.boolean(), drops: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.array(verdict, { minLength: 5, maxLength: 5 }), { maxLength: 30 }), (script) => {
        const job = { promptTokens: 0, promptBegun: 0, defers: false, joinsPrompt: false, stride: null };
        const scheduler = new Scheduler<typeof job>({ maxSequences: 1, prefillRows: 1, admit: () => true });
        scheduler.add(job);
        // By definition: tokens under way, by position, at the loop that they run next.
        let expected = [{ position: 0, loop: 0 }];
        for (const verdicts of script) {
          const { rows, kept } = scheduler.plan();
          expect(kept).toEqual([]);
          expect(rows.map(({ position, loop }) => ({ position, loop }))).toEqual(expected);
          expect(rows.map(({ isOwed }) => isOwed)).toEqual(rows.map((_, n) => n + 1 < rows.length));
          const outcomes = rows.map(({ loop, isOwed }, n) => {
            const ends = loop + 1 === loops;
            const drops = verdicts[n]!.drops && isOwed;
            // The token after one that has run all loops is there, or starts.
            const next = (drops || !isOwed) && (ends || verdicts[n]!.next);
            return { next, drops, ends };
          });
          scheduler.settle(rows, outcomes);
          const cut = outcomes.findIndex(({ drops }) => drops);
          const last = cut < 0 ? rows.length - 1 : cut;
          expected = expected.slice(0, last + 1).map(({ position, loop }) => ({ position, loop: loop + 1 }));
          const after = expected.at(-1)!.position + 1;
          expected = expected.filter(({ loop }) => loop < loops);
          if (outcomes[last]!.next) expected.push({ position: after, loop: 0 });
        }
      }),
    );
  });
});
