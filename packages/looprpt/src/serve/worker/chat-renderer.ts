/**
 * A model's chat template in a process of its own, which may take only so long and so much memory for a chat. Chats are rendered
 * one after the other; one that takes too long is refused, the process is ended, and the next chat gets a new one.
 *
 * A process, not a thread: resource limits of threads do not hold in every case.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { UserError } from '../../base/user-error.js';
import type { ChatMessage } from '../../text/chat-template.js';
import type { ChatPrompt } from './protocol.js';
import { Turnstile } from './turnstile.js';

/** The compiled program, from the sources and from the compiled files alike. */
const PROGRAM = new URL('../../../dist/serve/worker/template-process.js', import.meta.url);

export interface TemplateLimits {
  /** For one chat. */
  seconds: number;
  /** For the process to start and to read the template. */
  startSeconds: number;
  /** Of JavaScript's heap in the process. */
  megabytes: number;
}

const DEFAULT_LIMITS: TemplateLimits = { seconds: 5, startSeconds: 30, megabytes: 256 };

/** The process's first word: the template as it stands in the folder, or why it cannot be used; both null where there is none. */
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
  #process: ChildProcess | null;

  private constructor(folder: string, limits: TemplateLimits, { child, state }: Started) {
    this.#folder = folder;
    this.#limits = limits;
    this.#process = child;
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
      if (this.#process === null) {
        const { child, state } = await start(this.#folder, this.#limits);
        if (child === null) return { fault: state.fault ?? 'the chat template is gone' };
        this.#process = child;
      }
      const child = this.#process;
      child.send({ messages, variables, opensAnswer, most } satisfies TemplateQuestion);
      return this.#answer(child);
    });
    if ('text' in answer) return answer.text;
    throw new UserError(answer.fault);
  }

  async #answer(child: ChildProcess): Promise<TemplateAnswer> {
    const answer = await within<TemplateAnswer>(child, this.#limits.seconds);
    if ('died' in answer) {
      this.#process = null;
      return { fault: `the chat template cannot render this chat (${answer.died})` };
    }
    return answer.said;
  }

  [Symbol.dispose](): void {
    this.#process?.kill('SIGKILL');
    this.#process = null;
  }
}

interface Started {
  /** null where there is no template that can be used. */
  child: ChildProcess | null;
  state: TemplateState;
}

async function start(folder: string, limits: TemplateLimits): Promise<Started> {
  const child = fork(PROGRAM, [folder], {
    execArgv: [`--max-old-space-size=${limits.megabytes}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  // It must not keep this process, and one that is being ended may still fail, when nobody asks any more.
  child.on('error', () => undefined).unref();
  child.channel?.unref();
  const first = await within<TemplateState>(child, limits.startSeconds);
  if ('died' in first)
    return { child: null, state: { source: null, fault: `the chat template cannot be read (${first.died})` } };
  if (first.said.source !== null) return { child, state: first.said };
  child.kill('SIGKILL');
  return { child: null, state: first.said };
}

/** What a process says next; one that takes too long, or too much, is ended. */
function within<T>(child: ChildProcess, seconds: number): Promise<{ said: T } | { died: string }> {
  return new Promise((resolve) => {
    const end = (outcome: { said: T } | { died: string }): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('error', onError).off('exit', onExit);
      resolve(outcome);
    };
    const onMessage = (said: unknown): void => end({ said: said as T });
    const onError = (error: Error): void => end({ died: error.message });
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
      end({ died: signal === 'SIGABRT' ? 'it takes too much memory' : `it ended with ${signal ?? code}` });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end({ died: `it takes longer than ${seconds} s` });
    }, 1000 * seconds);
    child.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}
