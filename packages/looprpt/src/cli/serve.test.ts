/** The server as users start it: the compiled program (`npm run build` first), the decoder in its own thread, signals. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { type CliResult, runCli, spawnCli } from '../../test-support/run-cli.js';
import { tinyModelFolder } from '../../test-support/serve/tiny-folder.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';

interface Running {
  url: string;
  child: ChildProcess;
  ended: Promise<CliResult>;
}

async function start(folder: string, ...args: string[]): Promise<Running> {
  const { child, ended } = spawnCli(
    ['serve', '--model', folder, '--port', '0', '--json', '--threads', '1', ...args],
    '.',
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  let line = '';
  while (!line.endsWith('\n')) line += String((await once(child.stdout!, 'data'))[0]);
  return { ...(JSON.parse(line) as { url: string }), child, ended };
}

const LONG = { prompt: 'the cat', max_tokens: 200, ignore_eos: true };

function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${url}/v1/completions`, { method: 'POST', headers, body: JSON.stringify(body) });
}

describe('looprpt serve', () => {
  it('answers from its thread, and a signal ends it when what runs is done', async () => {
    const folder = await tinyModelFolder(temporaryFolder().path);
    const { url, child, ended } = await start(folder, '--exit-threshold', '0.6', '--seed', '1');
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: object[] };
    expect(data).toMatchObject([{ id: 'tiny-model', looprpt: { exit_threshold: 0.6 } }]);
    const whole = (await (await post(url, { ...LONG, seed: 2 })).json()) as {
      choices: { text: string }[];
      usage: object;
    };
    const stream = (await post(url, { ...LONG, seed: 2, stream: true })).body!.getReader();
    let events = Buffer.from((await stream.read()).value!).toString();
    child.kill('SIGTERM');
    for (let next = await stream.read(); !next.done; next = await stream.read())
      events += Buffer.from(next.value).toString();
    expect(events.endsWith('data: [DONE]\n\n')).toBe(true);
    const chunks = [...events.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data!) as typeof whole);
    expect(chunks.map(({ choices }) => choices[0]!.text).join('')).toBe(whole.choices[0]!.text);
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/loading /),
      expect.stringMatching(/ready, .* 3 loops, float32 on cpu\)/),
      '',
      'no new requests; what runs is finished; another signal stops at once',
      '',
    ]);
  });

  it('stops at once at a second signal', async () => {
    const folder = await tinyModelFolder(temporaryFolder().path);
    const { url, child, ended } = await start(folder);
    const cut = post(url, { ...LONG, max_tokens: 2000, n: 32 });
    cut.catch(() => {});
    while (!/^looprpt_batch_size [1-9]/m.test(await (await fetch(`${url}/metrics`)).text()));
    child.kill('SIGINT');
    while ((await fetch(`${url}/ready`)).status !== 503);
    // The same press within a second counts once.
    await new Promise((later) => setTimeout(later, 1100));
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    await expect(cut).rejects.toThrow();
  });

  it('says in one line what is wrong', async () => {
    const { code, stdout, stderr } = await spawnCli(['serve', '--model', 'nowhere', '--port', '0', '--quiet'], '.')
      .ended;
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^looprpt: nowhere: .*\n$/);
  });
});

test('another host needs a key', async () => {
  const { code, stderr } = await runCli('serve', '--model', 'm', '--host', '0.0.0.0', '--port', '0');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^looprpt: --host 0\.0\.0\.0 lets other machines in.*\n$/);
});
