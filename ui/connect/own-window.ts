/**
 * Closes the page’s window, if that is the app’s own. The app defines it there; in a browser it is null, and the page’s tab
 * stays.
 */
export const closeWindow: (() => void) | null =
  'closeRelinkWindow' in window && typeof window.closeRelinkWindow === 'function'
    ? (window.closeRelinkWindow as () => void)
    : null;
