/** Server-sent events of a response: what the OpenAI protocol uses of them, which is `data` lines and the closing `[DONE]`. */

/**
 * The JSON value of each event, as it arrives.
 * @throws Error when the stream ends without `[DONE]`
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void> {
  for await (const data of dataOf(linesOf(body))) {
    if (data === '[DONE]') return;
    yield JSON.parse(data) as unknown;
  }
  throw new Error('the stream broke off');
}

/** An event's data lines joined; an empty line ends the event, and one that the end of the stream cuts off is none. */
async function* dataOf(lines: AsyncIterable<string>): AsyncGenerator<string, void> {
  let data: string[] = [];
  for await (const line of lines) {
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
    else if (line === '' && data.length > 0) {
      yield data.join('\n');
      data = [];
    }
  }
}

/** Whole lines, whichever way they end and wherever the chunks are cut. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/);
      rest = lines.pop()!;
      yield* lines;
    }
  } finally {
    // Whoever stops reading hangs up.
    await reader.cancel();
  }
}
