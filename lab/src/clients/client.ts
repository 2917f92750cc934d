/** A client of OpenAI's API that is tried against our server, and what its user saw. Shapes only. */

export interface Client {
  name: string;
  language: 'python' | 'node';
  /** As the registry's own client takes them, versions pinned; the first names the client. */
  packages: readonly [string, ...string[]];
  try: (setting: Setting) => Promise<Tried[]>;
}

/** Where a client is tried. */
export interface Setting {
  /** Of the server, without a path. */
  url: string;
  /** Its id of the model that it serves. */
  model: string;
  /** The model's folder. */
  modelFolder: string;
  /** Where the packages lie, for what else the client writes. */
  folder: string;
  /** `python` of the environment, or `node`. */
  program: string;
}

export interface Tried {
  tried: string;
  saw: string;
  ok: boolean;
}

export interface Outcome {
  client: Client;
  /** Or why there is nothing to see. */
  seen: readonly Tried[] | { skipped: string };
}

/** Name and version of a pinned package: `openai==3.57.0`, `@ai-sdk/provider@4.0.3`, `lm_eval[api]==0.4.13`. */
export function pinned(requirement: string): { name: string; version: string } {
  const [, name, version] = /^(@?[^@=[]+)(?:\[.*?\])?(?:==|@)([\d.]+)$/.exec(requirement) ?? [];
  if (name === undefined || version === undefined) throw new Error(`not a pinned package: ${requirement}`);
  return { name, version };
}
