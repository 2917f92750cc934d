/**
 * The figures' colours. Figures name CSS variables, so that a page can switch between light and dark; `standalone.ts`
 * puts the colours themselves into a single SVG file.
 *
 * The series colours are spread in hue and lightness so that they stay apart under the common kinds of colour
 * blindness (after Okabe and Ito's set); symbols and dashes say the same a second time. All light values differ.
 */
export interface ThemeColor {
  light: string;
  dark: string;
}

export const THEME = {
  surface: { light: '#ffffff', dark: '#14171b' },
  ink: { light: '#1f2328', dark: '#e6e9ec' },
  'ink-muted': { light: '#57606a', dark: '#a0a9b2' },
  grid: { light: '#e3e7eb', dark: '#2c3238' },
  'series-start': { light: '#7a828a', dark: '#98a1aa' },
  'series-1': { light: '#0072b2', dark: '#4fabe3' },
  'series-2': { light: '#d55e00', dark: '#f58a3d' },
  'series-3': { light: '#009e73', dark: '#35c79c' },
  'series-4': { light: '#b64f8b', dark: '#e59ac6' },
  'series-5': { light: '#a67c00', dark: '#e3bc47' },
  'series-6': { light: '#6a51b5', dark: '#ab97f2' },
} as const satisfies Record<string, ThemeColor>;

export type ThemeName = keyof typeof THEME;

export function color(name: ThemeName): string {
  return `var(--${name})`;
}

const SERIES = ['series-1', 'series-2', 'series-3', 'series-4', 'series-5', 'series-6'] as const;
const SYMBOLS = ['square', 'circle', 'triangle', 'diamond', 'star', 'wye'] as const;

export interface SeriesStyle {
  color: string;
  symbol: 'square' | 'circle' | 'triangle' | 'diamond' | 'star' | 'wye' | 'times';
}

/** One style per run, in order: grey crosses for start models, that were not trained; the series for the others. */
export function seriesStyles(trained: readonly boolean[]): SeriesStyle[] {
  let next = 0;
  return trained.map((isTrained) => {
    if (!isTrained && trained.includes(true)) return { color: color('series-start'), symbol: 'times' };
    const index = next++;
    return { color: color(SERIES[index % SERIES.length]!), symbol: SYMBOLS[index % SYMBOLS.length]! };
  });
}

/** Ordered colours for loops 1..K, light and warm to deep and cool; the same on both backgrounds. */
export function loopColor(loop: number, loops: number): string {
  const anchors = [
    [214, 158, 0],
    [224, 98, 40],
    [190, 62, 140],
    [112, 96, 214],
  ] as const;
  const at = loops > 1 ? ((loop - 1) / (loops - 1)) * (anchors.length - 1) : anchors.length - 1;
  const left = Math.min(Math.floor(at), anchors.length - 2);
  const channels = [0, 1, 2].map((channel) => {
    const a = anchors[left]![channel]!;
    const b = anchors[left + 1]![channel]!;
    return Math.round(a + (at - left) * (b - a));
  });
  return `#${channels.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

/** `--name: value;` for every theme colour. */
export function themeVariables(theme: keyof ThemeColor): string {
  return Object.entries(THEME)
    .map(([name, value]) => `--${name}: ${value[theme]};`)
    .join(' ');
}
