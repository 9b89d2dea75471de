const isMac = navigator.platform.startsWith('Mac');

/** The shortcut of the account search, as shown on this system and in ARIA’s syntax. */
export const SEARCH_SHORTCUT = isMac
  ? { shown: '⌘ K', aria: 'Meta+K' }
  : { shown: 'Ctrl K', aria: 'Control+K' };

/** Whether this event is the shortcut of the account search. */
export function isSearchShortcut(event: KeyboardEvent): boolean {
  const { key, metaKey, ctrlKey, shiftKey, altKey } = event;
  if (key.toLowerCase() !== 'k' || shiftKey || altKey) return false;
  return isMac ? metaKey && !ctrlKey : ctrlKey && !metaKey;
}
