/** Light or dark: what the reader's system prefers, until the button says otherwise; that is kept. */
import { byId } from './elements.js';
import { keep, readKept } from './kept.js';

const STORED = 'looprpt-theme';

export function startTheme(): void {
  const root = document.documentElement;
  const stored = readKept(STORED, 'visits');
  if (stored === 'dark' || stored === 'light') root.dataset.theme = stored;
  const button = byId('theme', HTMLButtonElement);
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = (): boolean => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const label = (): void => {
    button.textContent = isDark() ? 'Light' : 'Dark';
    button.setAttribute('aria-label', `Switch to ${isDark() ? 'light' : 'dark'} colours`);
  };
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    keep(STORED, root.dataset.theme, 'visits');
    label();
  });
  system.addEventListener('change', label);
  label();
}
