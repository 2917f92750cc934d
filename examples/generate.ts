/**
 * Text token by token, each with the loops that it took, from two prompts that share their passes.
 *
 *     node dist/generate.js [MODEL] [PROMPT...]
 */
import { Decoder, loadModel } from 'looprpt';

const [name = 'hop-base', ...asked] = process.argv.slice(2);
const prompts = asked.length > 0 ? asked : ['map ci gd ah hc ia dg ask c 1', 'map gh ei fb hg if be ask f 4'];

using model = await loadModel(name);
using decoder = new Decoder(model);

await Promise.all(
  prompts.map(async (prompt) => {
    const tokens: string[] = [];
    for await (const { text, loop } of decoder.generate(prompt, { maxTokens: 4, exit: { gate: 0.7 } }))
      tokens.push(`${text.trim()} (${loop} of ${model.config.loops} loops)`);
    console.log(`${prompt} → ${tokens.join(', ')}`);
  }),
);
