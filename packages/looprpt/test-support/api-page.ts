/** docs/reference/api.md: every export of the package with the first sentence of its docstring. */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const INDEX = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/** One name that the package exports. */
export interface Exported {
  name: string;
  kind: 'function' | 'class' | 'value' | 'type';
  /** Its docstring, without tags; empty where there is none. */
  text: string;
}

/** What a program can import, in the order of the names. */
export function exportedNames(): Exported[] {
  const { options } = ts.parseJsonConfigFileContent(
    { extends: '../tsconfig.json' },
    ts.sys,
    fileURLToPath(new URL('.', import.meta.url)),
  );
  const program = ts.createProgram([INDEX], { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(INDEX)!)!;
  return checker
    .getExportsOfModule(symbol)
    .map((exported): Exported => {
      const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const text = ts.displayPartsToString(target.getDocumentationComment(checker)).trim();
      return { name: exported.name, kind: isTypeOnly(exported) ? 'type' : kindOf(target), text };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isTypeOnly({ declarations = [] }: ts.Symbol): boolean {
  return declarations.some((node) => ts.isExportSpecifier(node) && (node.isTypeOnly || node.parent.parent.isTypeOnly));
}

function kindOf({ flags }: ts.Symbol): Exported['kind'] {
  if (flags & ts.SymbolFlags.Function) return 'function';
  if (flags & ts.SymbolFlags.Class) return 'class';
  return flags & ts.SymbolFlags.Variable ? 'value' : 'type';
}

export function apiPage(exported: readonly Exported[]): string {
  const rows = (kinds: readonly Exported['kind'][]): string =>
    exported
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ name, kind, text }) => `| \`${name}\` | ${kind} | ${cell(text)} |`)
      .join('\n');
  return `# The library

\`import { … } from 'looprpt'\`: what there is, by name. This page is made from the docstrings; editors show them whole, with parameters,
shapes, units and errors. \`npm run docs:api\` writes them as pages to \`docs/reference/api/\`.

Programs to begin from are in [\`examples/\`](../../examples/README.md). Tensors are those of
[\`@looprpt/engine\`](../../packages/engine/README.md).

| name | | |
|---|---|---|
${rows(['function', 'class', 'value'])}

## Types

| name | | |
|---|---|---|
${rows(['type'])}
`;
}

/** The first sentence, on one line. */
function cell(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
  return /^.*?[.:](?= |$)/.exec(line)?.[0].replace(/:$/, '.') ?? line;
}
