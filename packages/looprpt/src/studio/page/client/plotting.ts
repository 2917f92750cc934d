/** The plotting library, which the page loads as a program of its own, and how the studio's plots all look. */
import type * as PlotLibrary from '@observablehq/plot';

declare global {
  interface Window {
    Plot: typeof PlotLibrary;
  }
}

export type Drawn = ReturnType<typeof PlotLibrary.plot>;

/** Where the drawing is inside of a plot, in pixels from its edges. */
export const MARGINS = { marginTop: 8, marginRight: 10, marginBottom: 26, marginLeft: 54 };

/** @param options as the library takes them; sizes of text and colours of the page are put in */
export function draw(options: PlotLibrary.PlotOptions): Drawn {
  const svg = window.Plot.plot({
    ...MARGINS,
    ...options,
    className: 'plot',
    style: { fontSize: '11px', background: 'transparent', overflow: 'visible' } as never,
  });
  // The library's own style sheet says nothing that the page's does not, and the content policy forbids it.
  for (const sheet of svg.querySelectorAll('style')) sheet.remove();
  // A plot is one picture to those who hear it; what its parts are called is for programs.
  for (const part of svg.querySelectorAll<SVGElement>('[aria-label]')) {
    part.dataset.label = part.getAttribute('aria-label')!;
    for (const name of ['aria-label', 'aria-description', 'aria-roledescription']) part.removeAttribute(name);
  }
  return svg;
}

/** Lets the reader keep a text as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** A name that is fit for a file. */
export function fileName(title: string, ending: string): string {
  return `${title.replaceAll(/[^\w]+/g, '-').replaceAll(/^-|-$/g, '') || 'figure'}.${ending}`;
}
