/** Recipes of the laboratory are valid configurations. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { explainConfigError } from 'looprpt/internal/base/settings/config-error.js';
import { readSettings } from 'looprpt/internal/base/settings/config-file.js';
import { mixtureSourceSchema } from 'looprpt/internal/data/documents/source.js';
import { expandPreset } from 'looprpt/internal/train/expand-preset.js';
import { runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { expect, test } from 'vitest';

const RECIPES = fileURLToPath(new URL('../recipes/', import.meta.url));

test.each(readdirSync(RECIPES))('recipes/%s is a valid configuration', (file) => {
  const settings = readSettings(`${RECIPES}${file}`);
  expandPreset(settings, file);
  const schema = 'parts' in settings ? mixtureSourceSchema : runConfigSchema;
  const parsed = schema.safeParse(settings);
  expect(parsed.success ? '' : explainConfigError(schema, settings, parsed.error)).toBe('');
});
