/**
 * JSON in pieces: one string cannot hold the logits of a large vocabulary (V8's limit is half a gigabyte).
 *
 * The pieces, joined, are `JSON.stringify(value)`, for plain data: objects, arrays, strings, numbers, booleans, null; keys whose
 * value is undefined are left out, numbers that are not finite become null.
 */

/** How far down arrays and objects are taken apart; what lies deeper is one piece. */
const DEPTH = 4;
const PIECE_CHARACTERS = 1 << 20;

export function* jsonPieces(value: unknown): Generator<string, void, undefined> {
  let piece = '';
  for (const part of parts(value, DEPTH)) {
    piece += part;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

function* parts(value: unknown, depth: number): Generator<string, void, undefined> {
  if (depth === 0 || typeof value !== 'object' || value === null) {
    yield JSON.stringify(value) ?? 'null';
  } else if (Array.isArray(value)) {
    yield '[';
    for (let i = 0; i < value.length; i++) {
      if (i > 0) yield ',';
      yield* parts(value[i], depth - 1);
    }
    yield ']';
  } else {
    yield '{';
    let first = true;
    for (const [key, inner] of Object.entries(value)) {
      if (inner === undefined) continue;
      yield `${first ? '' : ','}${JSON.stringify(key)}:`;
      first = false;
      yield* parts(inner, depth - 1);
    }
    yield '}';
  }
}
