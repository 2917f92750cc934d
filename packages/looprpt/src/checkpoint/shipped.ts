/** The models that come with this package. */
import { fileURLToPath } from 'node:url';

/** 103,000 weights, on multi-hop lookup; made by recipes/hop-base.yaml, its card lies beside the weights. */
export const HOP_BASE = fileURLToPath(new URL('../../models/hop-base', import.meta.url));

/** 171,000 weights, on symbolic tasks and no English; made by recipes/transfer-base.yaml. */
export const TRANSFER_BASE = fileURLToPath(new URL('../../models/transfer-base', import.meta.url));

const SHIPPED: Readonly<Record<string, string>> = { 'hop-base': HOP_BASE, 'transfer-base': TRANSFER_BASE };

/** The folder of a model that comes with this package, by its name; undefined for other names. */
export function shippedModel(name: string): string | undefined {
  return Object.hasOwn(SHIPPED, name) ? SHIPPED[name] : undefined;
}
