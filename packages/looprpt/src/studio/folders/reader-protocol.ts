/** What a thread that reads metrics is asked. */
export type ReaderAnswers = {
  read: { input: ReadingQuestion; value: Uint8Array | null };
};

export interface ReadingQuestion {
  metrics: string;
  /** What is known of the file: a digest, to go on from; null from its start. */
  known: Uint8Array | null;
  /** Where the digest goes when all has been read. */
  keep: string;
}
