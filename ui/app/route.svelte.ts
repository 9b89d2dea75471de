import { createContext } from 'svelte';
import type { MappingRef } from '../host/types';

/** The page that the window shows, with what is selected on it. */
export type Place =
  | { at: 'accounts'; id: string | null }
  | { at: 'integrations'; name: string | null }
  /** `mapping`: the one that is edited. */
  | { at: 'models'; name: string | null; mapping: MappingRef | null }
  /** `run`: the run that is shown. `editing`: the editor of the job, or of a new one. */
  | { at: 'sync'; job: string | null; run: string | null; editing: boolean }
  | { at: 'activity' }
  | { at: 'webhooks'; id: string | null }
  | { at: 'settings' };

/** The dialog that is open over the page, if any. */
export type OpenDialog =
  | { kind: 'connect'; integration: string | null }
  /** Reauthorizes with a link, which can be opened or copied. */
  | { kind: 'reauthorize'; id: string }
  /** Reauthorizes on the provider’s page at once. */
  | { kind: 'sign-in'; id: string }
  | null;

/** The window’s current page and dialog. */
export class Route {
  place = $state<Place>({ at: 'accounts', id: null });
  dialog = $state<OpenDialog>(null);
  /** Set when the account search should get the focus. The accounts page clears it. */
  searchRequested = $state(false);

  go(place: Place): void {
    this.dialog = null;
    this.place = place;
  }

  /** Opens the accounts page, if necessary, and focuses its search. The selection is kept. */
  focusSearch(): void {
    if (this.place.at !== 'accounts') this.go({ at: 'accounts', id: null });
    this.searchRequested = true;
  }

  open(dialog: OpenDialog): void {
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = null;
  }
}

export const [getRoute, setRoute] = createContext<Route>();
