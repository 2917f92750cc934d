/**
 * Hostile JSON from a valid document: one to four changes of its tree, so that most of it stays right and the reader gets
 * past its first checks; now and then its bytes are damaged as well.
 */
import fc from 'fast-check';
import { mutatedBytes } from './bytes.js';
import { hostileJson, hostileStrings } from './hostile.js';
import { type JsonTree, type Place, placesOf, replaceAt, textOf, treeAt, treeOf } from './json-tree.js';

/** A change, made at the place that a number stands for. */
interface Change {
  at: number;
  make: (place: Place, places: readonly Place[]) => void;
}

/** Repetition makes no part longer than this. */
const LONGEST = 50_000;
/** Keys are repeated too, and a file may grow several times; what is behind this is cut off. */
const LARGEST = 250_000;

const raw = (text: string): JsonTree => ({ kind: 'raw', text });

const makers: fc.Arbitrary<Change['make']> = fc.oneof(
  { weight: 5, arbitrary: hostileJson.map((text) => (place: Place) => replaceAt(place, [raw(text)])) },
  { weight: 2, arbitrary: fc.constant((place: Place) => replaceAt(place, [])) },
  {
    weight: 2,
    arbitrary: hostileStrings.map((key) => (place: Place) => replaceAt(place, [treeAt(place)], key)),
  },
  // Beside it the same again, under the same key in an object.
  {
    weight: 2,
    arbitrary: hostileJson.map((text) => (place: Place) => replaceAt(place, [treeAt(place), raw(text)])),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(2, 3, 50, 500).map((times) => (place: Place) => {
      const tree = treeAt(place);
      if (times * textOf(tree).length <= LONGEST) replaceAt(place, new Array<JsonTree>(times).fill(tree));
    }),
  },
  // Another part of the document in its place.
  {
    weight: 2,
    arbitrary: fc.nat().map((from) => (place: Place, places: readonly Place[]) => {
      const other = textOf(treeAt(places[from % places.length]!));
      replaceAt(place, [raw(other)]);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('[', '{').map((open) => (place: Place) => {
      const inner = treeAt(place);
      replaceAt(place, [
        open === '[' ? { kind: 'array', items: [inner] } : { kind: 'object', entries: [['a', inner]] },
      ]);
    }),
  },
);

const changes: fc.Arbitrary<Change[]> = fc.array(fc.record({ at: fc.nat(), make: makers }), {
  minLength: 1,
  maxLength: 4,
});

/** UTF-8 bytes of a file that is nearly `value`. */
export function mutatedJson(value: unknown): fc.Arbitrary<Uint8Array> {
  const text = changes.map((list) => {
    const root = treeOf(value);
    for (const { at, make } of list) {
      const places = placesOf(root);
      if (places.length > 0) make(places[at % places.length]!, places);
    }
    return Buffer.from(textOf(root)).subarray(0, LARGEST);
  });
  return fc.oneof(
    { weight: 8, arbitrary: text },
    { weight: 1, arbitrary: hostileJson.map((whole) => Buffer.from(whole)) },
    { weight: 2, arbitrary: mutatedBytes(Buffer.from(JSON.stringify(value))) },
  );
}
