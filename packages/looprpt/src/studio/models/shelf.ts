/** A few models kept open for the next question, the one asked for longest ago put away first. It owns their native memory. */

import { modelFolder } from '../../train/state/model-folder.js';
import { type Model, type OpenOptions, openModel } from '../../train/state/open-model.js';

export class Shelf implements Disposable {
  readonly #options: OpenOptions;
  readonly #most: number;
  /** By the folder that they are from, so that a run's newer checkpoint is another model. */
  readonly #open = new Map<string, Model>();

  constructor(options: OpenOptions, most: number) {
    this.#options = options;
    this.#most = most;
  }

  /** @throws UserError where there is no such model */
  async take(name: string): Promise<Model> {
    const folder = await modelFolder(name, () => {});
    const there = this.#open.get(folder);
    this.#open.delete(folder);
    const [oldest] = this.#open;
    if (!there && oldest && this.#open.size >= this.#most) {
      this.#open.delete(oldest[0]);
      oldest[1].dispose();
    }
    const model = there ?? (await openModel(folder, this.#options));
    this.#open.set(folder, model);
    return model;
  }

  [Symbol.dispose](): void {
    for (const model of this.#open.values()) model.dispose();
    this.#open.clear();
  }
}
