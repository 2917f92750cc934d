/**
 * A model's chat template in a thread of its own, which may take only so long and so much memory for a chat. Chats are rendered
 * one after the other; one that takes too long is refused, the thread is ended, and the next chat gets a new one.
 */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../base/user-error.js';
import type { ChatMessage } from '../../text/chat-template.js';
import type { ChatPrompt } from './protocol.js';
import { Turnstile } from './turnstile.js';

/** The compiled thread, from the sources and from the compiled files alike. */
const THREAD = new URL('../../../dist/serve/worker/template-thread.js', import.meta.url);

export interface TemplateLimits {
  /** For one chat. */
  seconds: number;
  /** For the thread to start and to read the template. */
  startSeconds: number;
  /** Of JavaScript's heap in the thread. */
  megabytes: number;
}

const DEFAULT_LIMITS: TemplateLimits = { seconds: 5, startSeconds: 30, megabytes: 256 };

/** The thread's first word: the template as it stands in the folder, or why it cannot be used; both null where there is none. */
export interface TemplateState {
  source: string | null;
  fault: string | null;
}

export interface TemplateQuestion {
  messages: ChatMessage[];
  variables: Record<string, unknown>;
  opensAnswer: boolean;
  /** Code units of the rendered chat that can be of use. */
  most: number;
}

export type TemplateAnswer = { text: string } | { fault: string };

export class ChatRenderer implements Disposable {
  /** As it was when the folder was read first. */
  readonly state: TemplateState;
  readonly #folder: string;
  readonly #limits: TemplateLimits;
  readonly #turnstile = new Turnstile(1);
  #thread: Worker | null;

  private constructor(folder: string, limits: TemplateLimits, { thread, state }: Started) {
    this.#folder = folder;
    this.#limits = limits;
    this.#thread = thread;
    this.state = state;
  }

  /** A template that cannot be used is no error here: chats are refused, each with the reason. */
  static async load(folder: string, limits: TemplateLimits = DEFAULT_LIMITS): Promise<ChatRenderer> {
    return new ChatRenderer(folder, limits, await start(folder, limits));
  }

  /**
   * @param most code units of the rendered chat; what is longer comes one longer than that
   * @throws UserError where there is no template, or it refuses the chat
   */
  async render({ messages, variables, opensAnswer }: ChatPrompt, most: number): Promise<string> {
    const { source, fault } = this.state;
    if (source === null) throw new UserError(`${fault ?? 'this model has no chat template'}; use /v1/completions`);
    const answer = await this.#turnstile.run(async () => {
      if (this.#thread === null) {
        const { thread, state } = await start(this.#folder, this.#limits);
        if (thread === null) return { fault: state.fault ?? 'the chat template is gone' };
        this.#thread = thread;
      }
      const thread = this.#thread;
      thread.postMessage({ messages, variables, opensAnswer, most } satisfies TemplateQuestion);
      return this.#answer(thread);
    });
    if ('text' in answer) return answer.text;
    throw new UserError(answer.fault);
  }

  async #answer(thread: Worker): Promise<TemplateAnswer> {
    const answer = await within<TemplateAnswer>(thread, this.#limits.seconds);
    if ('died' in answer) {
      this.#thread = null;
      return { fault: `the chat template cannot render this chat (${answer.died})` };
    }
    return answer.said;
  }

  [Symbol.dispose](): void {
    void this.#thread?.terminate();
    this.#thread = null;
  }
}

interface Started {
  /** null where there is no template that can be used. */
  thread: Worker | null;
  state: TemplateState;
}

async function start(folder: string, limits: TemplateLimits): Promise<Started> {
  const resourceLimits = { maxOldGenerationSizeMb: limits.megabytes };
  const thread = new Worker(THREAD, { workerData: { folder }, resourceLimits });
  // One that is being ended may still run out of memory, when nobody asks any more.
  thread.on('error', () => undefined).unref();
  const first = await within<TemplateState>(thread, limits.startSeconds);
  if ('died' in first)
    return { thread: null, state: { source: null, fault: `the chat template cannot be read (${first.died})` } };
  if (first.said.source !== null) return { thread, state: first.said };
  void thread.terminate();
  return { thread: null, state: first.said };
}

/** What a thread says next; one that takes too long, or too much, is ended. */
function within<T>(thread: Worker, seconds: number): Promise<{ said: T } | { died: string }> {
  return new Promise((resolve) => {
    const end = (outcome: { said: T } | { died: string }): void => {
      clearTimeout(timer);
      thread.off('message', onMessage).off('error', onDeath);
      resolve(outcome);
    };
    const onMessage = (said: T): void => end({ said });
    const onDeath = (error: Error): void => end({ died: error.message });
    const timer = setTimeout(() => {
      void thread.terminate();
      end({ died: `it takes longer than ${seconds} s` });
    }, 1000 * seconds);
    thread.on('message', onMessage).on('error', onDeath);
  });
}
