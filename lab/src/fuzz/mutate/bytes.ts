/** Hostile bytes from valid ones: flips, cuts, insertions, repeats, and the numbers that sit at the limits of integers. */
import fc from 'fast-check';

type Edit = (bytes: Buffer) => Buffer;

const place = fc.nat();

const LIMITS = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
];

const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, fc.nat(7)).map(
    ([at, bit]): Edit =>
      (bytes) =>
        changed(bytes, at, (old) => old ^ (1 << bit)),
  ),
  fc.tuple(place, fc.nat(255)).map(
    ([at, value]): Edit =>
      (bytes) =>
        changed(bytes, at, () => value),
  ),
  fc.tuple(place, fc.constantFrom(1, 2, 4, 8), fc.constantFrom(...LIMITS)).map(
    ([at, width, value]): Edit =>
      (bytes) => {
        const field = Buffer.alloc(8);
        field.writeBigUInt64LE(value);
        return spliced(bytes, at, width, field.subarray(0, width));
      },
  ),
  place.map(
    (at): Edit =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  ),
  place.map(
    (at): Edit =>
      (bytes) =>
        bytes.subarray(at % (bytes.length + 1)),
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 64 })).map(
    ([at, count]): Edit =>
      (bytes) =>
        spliced(bytes, at, count),
  ),
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 16 })).map(
    ([at, more]): Edit =>
      (bytes) =>
        spliced(bytes, at, 0, more),
  ),
  fc.tuple(place, place, fc.integer({ min: 1, max: 64 })).map(
    ([from, to, count]): Edit =>
      (bytes) => {
        const start = from % (bytes.length + 1);
        return spliced(bytes, to, 0, bytes.subarray(start, start + count));
      },
  ),
);

/** @param valid stays as it is */
export function mutatedBytes(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc
    .array(edits, { minLength: 1, maxLength: 4 })
    .map((list) => list.reduce<Buffer>((bytes, edit) => edit(bytes), Buffer.from(valid)));
}

function changed(bytes: Buffer, at: number, change: (old: number) => number): Buffer {
  if (bytes.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  const index = at % bytes.length;
  copy[index] = change(copy[index]!);
  return copy;
}

/** `count` bytes from a place on replaced. */
function spliced(bytes: Buffer, at: number, count: number, more: Uint8Array = new Uint8Array()): Buffer {
  const start = at % (bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, start), more, bytes.subarray(start + count)]);
}
