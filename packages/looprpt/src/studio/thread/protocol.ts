/** What a thread of the studio is asked and answers: a question by its kind, a value or a mistake in return, and news without being asked. */

export interface Question {
  id: number;
  kind: string;
  input: unknown;
}

export type FromThread =
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'mistake'; id: number; message: string; isUserError: boolean }
  | { kind: 'news'; news: unknown };

/** Kinds of questions, with what they take and give. */
export type Answers = Record<string, { input: unknown; value: unknown }>;
