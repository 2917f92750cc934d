/** The page `docs/reference/clients.md`: what the users of other people's clients see. */
import { type Outcome, pinned } from './client.js';

/** @param node its version @param python its version @param day as YYYY-MM-DD */
export function clientsPage(
  outcomes: readonly Outcome[],
  { node, python, day }: { node: string; python: string; day: string },
): string {
  const seen = outcomes.flatMap((outcome) => ('skipped' in outcome.seen ? [] : outcome.seen));
  const wrong = seen.filter(({ ok }) => !ok).length;
  const works = seen.length === 0 ? 'Nothing was tried.' : 'All of it works.';
  const verdict = wrong === 0 ? works : `${wrong} of ${seen.length} went wrong.`;
  const rows = outcomes.flatMap(rowsOf);
  return `<!-- Written by \`npm run clients\`; changes belong in lab/src/clients. -->

# Clients

${verdict} Other people's clients against \`looprpt serve\` with \`hop-base\`, from their registries, as of ${day}; Node ${node}, Python ${python}.
\`npm run clients\` does it again. A refusal that names the field is what a user should see of what is not done here.

| client | version | tried | seen |
|---|---|---|---|
${rows.join('\n')}
`;
}

function rowsOf({ client, seen }: Outcome): string[] {
  const [first, ...others] = client.packages.map(pinned);
  const beside = others.map(({ name, version }) => `, ${name} ${version}`).join('');
  const [name, version] = [client.name, `${first!.version}${beside}`];
  if ('skipped' in seen) return [row([name, version, 'not tried', seen.skipped])];
  return seen.map(({ tried, saw, ok }, i) =>
    row([i === 0 ? name : '', i === 0 ? version : '', tried, ok ? saw : `**wrong:** ${saw}`]),
  );
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim()).join(' | ')} |`;
}
