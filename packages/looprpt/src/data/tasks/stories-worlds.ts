/**
 * The settings of the word problems: who appears, what they do, and to which things. Data only. Every verb has the same
 * form as past tense and as participle, and every noun an explicit singular.
 */

export interface Noun {
  readonly one: string;
  readonly many: string;
}

export interface World {
  /** What people did ("picked") and its base form for questions ("pick"). */
  readonly did: string;
  readonly do: string;
  readonly items: readonly Noun[];
  /** What a number of items comes in. */
  readonly container: Noun;
  /** Sentences without any number that set the scene; at most one opens a story. */
  readonly scenes: readonly string[];
}

const noun = (one: string, many = `${one}s`): Noun => ({ one, many });

export const worlds: readonly World[] = [
  {
    did: 'picked',
    do: 'pick',
    items: [noun('apple'), noun('pear'), noun('plum'), noun('cherry', 'cherries')],
    container: noun('basket'),
    scenes: [
      'The old orchard behind the school opened its gates this morning.',
      'Harvest week has begun, and the whole village is out among the trees.',
    ],
  },
  {
    did: 'collected',
    do: 'collect',
    items: [noun('shell'), noun('pebble'), noun('feather'), noun('bottle cap')],
    container: noun('bucket'),
    scenes: [
      'After the storm, the beach was covered with things worth keeping.',
      'A group of friends spent the day by the sea.',
    ],
  },
  {
    did: 'baked',
    do: 'bake',
    items: [noun('muffin'), noun('bread roll'), noun('cookie'), noun('pie')],
    container: noun('tray'),
    scenes: [
      'The town bakery is getting ready for the spring fair.',
      'There is flour everywhere, because the bake sale starts tomorrow.',
    ],
  },
  {
    did: 'painted',
    do: 'paint',
    items: [noun('tile'), noun('flowerpot'), noun('mug'), noun('wooden box', 'wooden boxes')],
    container: noun('crate'),
    scenes: [
      'A pottery class is finishing its work for the exhibition.',
      'The workshop smelled of fresh paint all week.',
    ],
  },
  {
    did: 'received',
    do: 'receive',
    items: [noun('letter'), noun('parcel'), noun('postcard'), noun('magazine')],
    container: noun('sack'),
    scenes: [
      'Just before the holidays the post office is busier than ever.',
      'The mail carrier had to walk through deep snow this week.',
    ],
  },
  {
    did: 'planted',
    do: 'plant',
    items: [noun('tulip'), noun('rose'), noun('daisy', 'daisies'), noun('lily', 'lilies')],
    container: noun('pot'),
    scenes: ['The park needs new flower beds this year.', 'Neighbors met to turn an empty lot into a garden.'],
  },
  {
    did: 'printed',
    do: 'print',
    items: [noun('ticket'), noun('poster'), noun('badge'), noun('leaflet')],
    container: noun('bundle'),
    scenes: [
      'The theater club is raising money for its next trip.',
      'It was the final match of the season at the stadium.',
    ],
  },
  {
    did: 'made',
    do: 'make',
    items: [noun('candle'), noun('bracelet'), noun('puppet'), noun('kite')],
    container: noun('carton'),
    scenes: [
      'Everyone in the craft club has been busy.',
      'A small market for handmade things takes place on the square.',
    ],
  },
  {
    did: 'caught',
    do: 'catch',
    items: [noun('trout', 'trout'), noun('perch', 'perch'), noun('crab'), noun('eel')],
    container: noun('net'),
    scenes: ['At dawn the boats went out onto the lake.', 'The fishing contest lasted until the evening.'],
  },
  {
    did: 'bought',
    do: 'buy',
    items: [noun('pencil'), noun('notebook'), noun('eraser'), noun('marker')],
    container: noun('pack'),
    scenes: ['School starts again next week.', 'The stationery shop is closing down and everything must go.'],
  },
];

// biome-ignore format: a table of names
export const names: readonly string[] = [
  'Amara', 'Bruno', 'Chloe', 'Dmitri', 'Elena', 'Farid', 'Grace', 'Hiro', 'Ines', 'Jamal', 'Kira', 'Leo',
  'Maya', 'Noor', 'Omar', 'Priya', 'Quinn', 'Rosa', 'Samir', 'Tessa', 'Uma', 'Viktor', 'Wanda', 'Yusuf',
];
