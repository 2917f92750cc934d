/** Selects of models, kept up with the runs while they train; what the reader chose stays chosen. */
import type { ModelEntry } from '../../models/catalogue.js';

/** @param none the words for no model, where that may be chosen */
export function fillModels(select: HTMLSelectElement, models: readonly ModelEntry[], none?: string): void {
  const chosen = select.value;
  const options = models.map(({ id, name }) => new Option(name, id));
  if (none !== undefined) options.unshift(new Option(none, ''));
  select.replaceChildren(...options);
  if (options.some(({ value }) => value === chosen)) select.value = chosen;
}
