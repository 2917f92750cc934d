/** Server-sent events: objects as they come, `[DONE]` at the end. The source is asked for more only when the client has room. */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // Proxies would hold small chunks back.
  'x-accel-buffering': 'no',
};

/** @param gone is called where the client goes away before the end */
export function eventStream(events: AsyncGenerator<unknown, void>, gone: () => void): Response {
  const encoder = new TextEncoder();
  const line = (data: string): Uint8Array => encoder.encode(`data: ${data}\n\n`);
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const next = await events.next();
      controller.enqueue(line(next.done ? '[DONE]' : JSON.stringify(next.value)));
      if (next.done) controller.close();
    },
    cancel: () => {
      gone();
      void events.return();
    },
  });
  return new Response(body, { headers: HEADERS });
}
