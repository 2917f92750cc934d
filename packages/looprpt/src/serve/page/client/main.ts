/** The page's life: find the model, send what is typed, show what comes, say what went wrong. */
import { Controls } from './controls.js';
import { Conversation } from './conversation.js';
import { byId, counted } from './elements.js';
import { Figures } from './figures.js';
import { legend } from './loop-colours.js';
import { PerFrame } from './per-frame.js';
import { recall, remember } from './remembered.js';
import { type Model, type Piece, type Prompt, readModel, ServerError, stream } from './server.js';
import { Tally } from './tally.js';
import { startTheme } from './theme.js';

const input = byId('input', HTMLTextAreaElement);
const sendButton = byId('send', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const againButton = byId('again', HTMLButtonElement);
const clearButton = byId('clear', HTMLButtonElement);
const status = byId('status', HTMLElement);
const alertBox = byId('alert', HTMLElement);
const controls = new Controls(nameInput);
const conversation = new Conversation();

const UNFINISHED = 'Not finished.';
/** Between two looks whether the model is there. */
const LOADING_MS = 1000;

let model: Model | null = null;
let figures: Figures | null = null;
/** What stops the request under way. */
let running: AbortController | null = null;
/** What the alert's button does again. */
let retry: () => Promise<void> = connect;

function nameInput(mode: Prompt['mode']): void {
  const isChat = mode === 'chat';
  byId('input-label', HTMLElement).textContent = isChat ? 'Message' : 'Text to continue';
  input.placeholder = isChat ? 'Say something to the model' : 'Begin a text; the model goes on';
  sendButton.textContent = isChat ? 'Send' : 'Continue';
  // An example is for a text to continue, where the reader has written nothing.
  const example = model?.looprpt.example ?? '';
  if (isChat && input.value === example) input.value = '';
  if (!isChat && input.value === '') input.value = example;
}

async function connect(): Promise<void> {
  hideAlert();
  try {
    model = await readModel(controls.key);
  } catch (error) {
    const isLoading = error instanceof ServerError && error.kind === 'loading';
    byId('model', HTMLElement).textContent = isLoading ? 'the model is being loaded' : 'no model yet';
    if (isLoading) setTimeout(() => void connect(), LOADING_MS);
    else showError(error, connect);
    return;
  }
  const { loops } = model.looprpt;
  figures = new Figures(loops);
  figures.show(new Tally(loops));
  controls.fit(model);
  nameInput(controls.mode);
  byId('model', HTMLElement).textContent = `${model.id}, ${counted(loops, 'loop')}`;
  byId('legend', HTMLElement).replaceChildren(...legend(loops));
  document.title = `${model.id} · looprpt`;
  showBefore(model);
  sendButton.disabled = false;
  input.focus();
}

/** What was said with this model before a reload. */
function showBefore({ id, looprpt: { loops } }: Model): void {
  const turns = recall({ id, loops });
  const last = turns.at(-1);
  if (!last || !conversation.isEmpty) return;
  conversation.restore(turns, loops);
  const tally = new Tally(loops);
  tally.add(
    last.pieces.flatMap((piece) => piece.loops ?? []),
    performance.now(),
  );
  figures?.show(tally);
  againButton.disabled = false;
  clearButton.disabled = false;
}

function keepConversation(): void {
  if (!model) return;
  const { id, looprpt } = model;
  remember({ id, loops: looprpt.loops }, conversation.turns(UNFINISHED));
}

async function send(mode: Prompt['mode'], asked: string): Promise<void> {
  if (!model || !figures || running) return;
  hideAlert();
  const request = new AbortController();
  setRunning(request);
  const { loops } = model.looprpt;
  const tally = new Tally(loops);
  const answer = conversation.begin(mode, asked, loops);
  const drawing = new PerFrame<Piece>((pieces) => {
    conversation.add(answer, pieces);
    figures?.show(tally);
  });
  figures.show(tally);
  let finish = 'stop';
  try {
    const { key, settings } = controls;
    for await (const chunk of stream(model, conversation.prompt, settings, { key, signal: request.signal })) {
      drawing.add(...chunk.pieces);
      finish = chunk.finish ?? finish;
      const taken = chunk.pieces.flatMap((piece) => piece.loops ?? []);
      tally.add(taken, performance.now());
    }
  } catch (error) {
    finish = request.signal.aborted ? 'Stopped.' : UNFINISHED;
    if (!request.signal.aborted) showError(error, sendAgain);
  }
  drawing.flush();
  conversation.end(answer, finish);
  keepConversation();
  setRunning(null);
  const mean = tally.meanLoops === null ? '' : `, ${tally.meanLoops.toFixed(2)} loops on average`;
  status.textContent = `${finish === 'Stopped.' ? 'Stopped' : 'Done'}: ${counted(tally.tokens, 'token')}${mean}.`;
}

/** The last turn once more, with the settings as they are now. */
async function sendAgain(): Promise<void> {
  const last = running ? null : conversation.takeBack();
  if (last) await send(last.mode, last.asked);
}

function setRunning(request: AbortController | null): void {
  // Focus goes along with the button that takes the other's place.
  const hadFocus = document.activeElement === stopButton || document.activeElement === sendButton;
  running = request;
  sendButton.hidden = request !== null;
  stopButton.hidden = request === null;
  againButton.disabled = request !== null;
  clearButton.disabled = request !== null;
  if (hadFocus) (request ? stopButton : sendButton).focus();
  if (request) status.textContent = 'The model is writing.';
}

function showError(error: unknown, again: () => Promise<void>): void {
  if (!(error instanceof ServerError)) throw error;
  retry = again;
  byId('alert-text', HTMLElement).textContent = error.message;
  alertBox.hidden = false;
  if (error.kind === 'key') controls.askForKey();
}

function hideAlert(): void {
  alertBox.hidden = true;
}

function submit(): void {
  const text = input.value;
  if (text.trim() === '' || running || !model) return;
  input.value = '';
  void send(controls.mode, text);
}

byId('composer', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});
input.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') running?.abort();
});
stopButton.addEventListener('click', () => running?.abort());
againButton.addEventListener('click', () => void sendAgain());
clearButton.addEventListener('click', () => {
  conversation.clear();
  keepConversation();
  againButton.disabled = true;
  clearButton.disabled = true;
  hideAlert();
  if (model) figures?.show(new Tally(model.looprpt.loops));
  input.focus();
});
byId('retry', HTMLButtonElement).addEventListener('click', () => void retry());
controls.onKey(() => void retry());
// An answer under way is kept as far as it came.
addEventListener('pagehide', () => {
  if (running) keepConversation();
});
startTheme();
// In a frame of the studio's page there is a name and a choice of colours already.
if (window.frameElement !== null) {
  document.querySelector('h1')!.className = 'hidden';
  byId('theme', HTMLElement).hidden = true;
}
void connect();
