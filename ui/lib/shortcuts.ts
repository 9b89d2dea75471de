const isMac = navigator.platform.startsWith('Mac');

/** The key that searches the accounts, as this system writes it, and as ARIA does. */
export const SEARCH_SHORTCUT = isMac
  ? { shown: '⌘ K', aria: 'Meta+K' }
  : { shown: 'Ctrl K', aria: 'Control+K' };

/** Whether it was pressed. */
export function isSearchShortcut(event: KeyboardEvent): boolean {
  const { key, metaKey, ctrlKey, shiftKey, altKey } = event;
  if (key.toLowerCase() !== 'k' || shiftKey || altKey) return false;
  return isMac ? metaKey && !ctrlKey : ctrlKey && !metaKey;
}
