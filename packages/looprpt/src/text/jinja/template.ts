/**
 * Jinja as chat templates are written in it, with the meaning that Python's jinja2 gives it under transformers: blocks trimmed, `break`,
 * `continue` and `generation` known, nothing that changes a value. Not here: inheritance, `include`, `import`, escaping for HTML.
 *
 * What a template may write and compute is bounded; it reads nothing but its variables and the clock.
 */
import { GLOBALS } from './globals.js';
import { parse } from './parser.js';
import { LIMITS, type Limits, Renderer } from './render.js';
import { Scope } from './scope.js';
import type { Statement } from './syntax.js';
import { toValue } from './values.js';

export class JinjaTemplate {
  private readonly body: readonly Statement[];

  /** @throws JinjaError when the source cannot be read */
  constructor(source: string) {
    this.body = parse(source);
  }

  /**
   * The text for these variables; they go before what has the same name everywhere.
   * @throws JinjaError when the template raises, does what Jinja forbids, or exceeds the limits
   */
  render(variables: Readonly<Record<string, unknown>>, limits: Limits = LIMITS): string {
    const known = new Scope(null);
    for (const [name, value] of Object.entries(GLOBALS)) known.set(name, value);
    const scope = new Scope(known);
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) scope.set(name, toValue(value));
    return new Renderer(limits).render(this.body, scope);
  }
}
