/** schemathesis: what `/openapi.json` says, held against the server by requests that follow it and by those that do not. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Setting, Tried } from './client.js';

const SECONDS = 300;
const EXAMPLES = 25;

/** Rules between fields are not in the description: a length that does not fit, a rule without its threshold. */
const CONFIG = `[[operations]]
include-path-regex = "^/v1/.*completions$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]
`;

const finding = z.looseObject({ title: z.string().optional() });

const report = z.object({
  operations: z.object({ tested: z.int() }),
  test_cases: z.object({ generated: z.int(), with_failures: z.int() }),
  failures: z.array(finding),
  errors: z.array(finding),
});

export async function trySchemathesis({ url, folder, program }: Setting): Promise<Tried[]> {
  const [config, written] = [join(folder, 'schemathesis.toml'), join(folder, 'report.json')];
  writeFileSync(config, CONFIG);
  const args = ['--config-file', config, 'run', `${url}/openapi.json`, '--phases', 'coverage,fuzzing', '--no-color'];
  args.push('--max-examples', String(EXAMPLES), '--seed', '1', '--workers', '1', '--no-shrink');
  // A text without a bound goes on to the model's whole length, which takes a slow machine its time.
  args.push(
    '--request-timeout',
    '120',
    '--generation-database',
    'none',
    '--report',
    'json',
    '--report-json-path',
    written,
  );
  const command = join(dirname(program), 'schemathesis');
  // It ends with 1 where it found something; the report says what.
  await promisify(execFile)(command, args, { cwd: folder, timeout: SECONDS * 1000, maxBuffer: 2 ** 26 }).catch(
    (error: Error & { code?: unknown }) => {
      if (error.code !== 1) throw error;
    },
  );
  const { operations, test_cases: cases, failures, errors } = report.parse(JSON.parse(readFileSync(written, 'utf8')));
  const wrong = [...failures, ...errors].map(({ title }) => title ?? 'without a title');
  const found = wrong.length === 0 ? 'no finding' : `found: ${wrong.join('; ')}`;
  const saw = `${cases.generated} requests to ${operations.tested} operations, ${found}`;
  return [{ tried: 'all checks on /openapi.json', saw, ok: wrong.length === 0 && operations.tested > 0 }];
}
