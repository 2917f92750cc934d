#!/usr/bin/env node
/**
 * `npm run templates`: the chat templates of known model families, rendered here and by transformers. Ends with one line for each
 * template and with code 1 where a text differs; where Python's index cannot be reached, with one line and code 0.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChatTemplate } from 'looprpt/internal/text/chat-template.js';
import { allCases, type TemplateCase } from './chats.js';
import { fetchReference, type Rendered, renderByTransformers, TOKENS } from './reference.js';

async function renderHere(source: string, { messages, variables }: TemplateCase): Promise<Rendered> {
  try {
    const template = await ChatTemplate.parse(source, 'template', TOKENS);
    const { add_generation_prompt: opens, ...others } = variables;
    return { text: template.render(messages, { addGenerationPrompt: opens === true, variables: others }) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** The same text, or an error on both sides: words of errors differ. */
function agree(here: Rendered, there: Rendered): boolean {
  return 'text' in here && 'text' in there ? here.text === there.text : 'error' in here === 'error' in there;
}

const folder = mkdtempSync(join(tmpdir(), 'looprpt-templates-'));
try {
  const reference = fetchReference(folder);
  if (reference === null) process.stdout.write("skipped: Python or its package index can't be reached\n");
  else {
    const { python, templates } = reference;
    const cases = allCases(Object.keys(templates));
    const { versions, rendered } = renderByTransformers(python, templates, cases);
    let different = 0;
    for (const [name, source] of Object.entries(templates)) {
      const own = cases.flatMap((one, i) => (one.template === name ? [{ one, there: rendered[i]! }] : []));
      const wrong: string[] = [];
      for (const { one, there } of own) {
        const here = await renderHere(source, one);
        if (!agree(here, there)) wrong.push(`${one.chat} ${JSON.stringify(one.variables)}`);
      }
      different += wrong.length;
      const verdict = wrong.length === 0 ? 'all alike' : `${wrong.length} differ, first: ${wrong[0]}`;
      process.stdout.write(`${name}: ${own.length} chats, ${verdict}\n`);
    }
    const count = Object.keys(templates).length;
    process.stdout.write(`${count} templates, ${cases.length} chats, ${different} differ from ${versions}\n`);
    if (different > 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
