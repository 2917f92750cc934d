/**
 * HTML by tagged template: everything put in is escaped, but for what `html` or `trusted` made.
 */
export class Html {
  readonly #markup: string;

  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

export type HtmlValue = string | number | Html | readonly HtmlValue[];

export function html(literals: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return new Html(literals.reduce((markup, literal, index) => markup + markupOf(values[index - 1]!) + literal));
}

/** Markup of our own making, such as a drawn SVG. */
export function trusted(markup: string): Html {
  return new Html(markup);
}

function markupOf(value: HtmlValue): string {
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(markupOf).join('');
  return escapeHtml(String(value));
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For text and quoted attributes. Control characters that HTML does not allow become a replacement character. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replaceAll(/\p{Cc}/gu, (character) => (/[\t\n\r]/.test(character) ? character : '\ufffd'));
}
