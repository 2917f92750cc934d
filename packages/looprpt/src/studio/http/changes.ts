/**
 * What changes while a page is open, for any number of pages: each gets what comes after it began to listen. A page that does not read
 * keeps only the newest change of each subject, so that it costs no more memory however long it sleeps.
 */

/** A change; one of the same subject takes the place of an older one that was not read. */
export interface Change {
  subject: string;
  value: unknown;
}

export class Changes {
  readonly #listeners = new Set<Listening>();

  send(subject: string, value: unknown): void {
    for (const listener of this.#listeners) listener.put({ subject, value });
  }

  /** @param first what every listener begins with @param gone ends it */
  async *listen(first: readonly Change[], gone: AbortSignal): AsyncGenerator<unknown, void> {
    const listener = new Listening();
    for (const change of first) listener.put(change);
    this.#listeners.add(listener);
    const wake = (): void => listener.wake();
    gone.addEventListener('abort', wake);
    try {
      while (!gone.aborted) {
        for (const { value } of listener.take()) yield value;
        await listener.news();
      }
    } finally {
      gone.removeEventListener('abort', wake);
      this.#listeners.delete(listener);
    }
  }

  /** Pages that listen. */
  get listeners(): number {
    return this.#listeners.size;
  }
}

class Listening {
  #waiting = new Map<string, Change>();
  #wake: (() => void) | null = null;
  #woken = false;

  put(change: Change): void {
    this.#waiting.delete(change.subject);
    this.#waiting.set(change.subject, change);
    this.wake();
  }

  take(): Change[] {
    const changes = [...this.#waiting.values()];
    this.#waiting = new Map();
    return changes;
  }

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async news(): Promise<void> {
    if (!this.#woken)
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    this.#woken = false;
    this.#wake = null;
  }
}
