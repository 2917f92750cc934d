/** The studio's page: its rooms by the address behind `#`, the changes that the server tells of, and one place for what goes wrong. */
import { byId } from '../../../serve/page/client/elements.js';
import { startTheme } from '../../../serve/page/client/theme.js';
import type { EvaluationSummary } from '../../evaluations/protocol.js';
import type { RunSummary } from '../../folders/run.js';
import type { ModelEntry } from '../../models/catalogue.js';
import { DepthRoom } from './depth-room.js';
import { FiguresRoom } from './figures-room.js';
import { RunsRoom } from './runs-room.js';
import { Server, Trouble } from './server.js';
import { TalkRoom } from './talk-room.js';
import { TokensRoom } from './tokens-room.js';

const RETRY_MS = 1000;

type News =
  | { kind: 'runs'; runs: RunSummary[]; lines: string[] }
  | { kind: 'run'; run: RunSummary }
  | { kind: 'evaluation'; evaluation: EvaluationSummary };

const server = new Server();
const status = byId('connection', HTMLElement);
const alertBox = byId('alert', HTMLElement);
const runs = new RunsRoom(server, showTrouble);
const tokens = new TokensRoom(server, showTrouble);
const depth = new DepthRoom(server, showTrouble);
const talk = new TalkRoom(server);
new FiguresRoom(server, () => ({ runs: runs.chosen, evaluations: depth.done }));
const known = new Map<string, RunSummary>();
/** What of a run decides which models there are, when they were last asked for. */
const models = new Map<string, string>();

function showTrouble(error: unknown): void {
  if (!(error instanceof Trouble)) throw error;
  if (error.status === 401) {
    byId('key-form', HTMLFormElement).hidden = false;
    byId('key', HTMLInputElement).focus();
  }
  alertBox.textContent = error.message;
  alertBox.hidden = false;
}

function take(news: News): void {
  if (news.kind === 'evaluation') {
    depth.show(news.evaluation);
    return;
  }
  if (news.kind === 'runs') {
    const there = new Set(news.runs.map(({ id }) => id));
    for (const id of known.keys())
      if (!there.has(id)) {
        known.delete(id);
        models.delete(id);
      }
    runs.showAll(news.runs, news.lines);
  } else runs.show(news.run);
  let isNew = news.kind === 'runs';
  for (const run of news.kind === 'runs' ? news.runs : [news.run]) {
    known.set(run.id, run);
    const now = JSON.stringify([run.checkpoints, run.evaluated]);
    isNew ||= models.get(run.id) !== now;
    models.set(run.id, now);
  }
  if (!isNew) return;
  void showModels();
}

async function showModels(): Promise<void> {
  try {
    const { models } = await server.get<{ models: ModelEntry[] }>('/api/models');
    tokens.showModels(models);
    depth.showModels(models, [...known.values()]);
    talk.setModel(models.some(({ id }) => id === 'given'));
    const { evaluations } = await server.get<{ evaluations: EvaluationSummary[] }>('/api/evaluations');
    depth.showAll(evaluations);
  } catch (error) {
    showTrouble(error);
  }
}

/** Hears what changes, and begins anew whenever the connection ends. */
async function listen(): Promise<void> {
  for (;;) {
    try {
      for await (const news of server.events()) {
        status.textContent = 'live';
        alertBox.hidden = true;
        take(news as News);
      }
    } catch (error) {
      status.textContent = 'not connected';
      showTrouble(error instanceof Trouble ? error : new Trouble(0, 'The connection to the studio broke off.'));
      if (error instanceof Trouble && error.status === 401) await newKey();
    }
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

function newKey(): Promise<void> {
  return new Promise((resolve) => {
    byId('key-form', HTMLFormElement).addEventListener('submit', () => resolve(), { once: true });
  });
}

function showRoom(): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>('nav a')];
  const wanted = links.find((link) => link.hash === location.hash) ?? links[0]!;
  for (const link of links) {
    const isHere = link === wanted;
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    byId(`room-${link.hash.slice(1)}`, HTMLElement).hidden = !isHere;
  }
  depth.open();
  talk.open();
}

byId('key-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  server.key = byId('key', HTMLInputElement).value.trim();
  byId('key-form', HTMLFormElement).hidden = true;
});
addEventListener('hashchange', showRoom);
startTheme();
showRoom();
void listen();
