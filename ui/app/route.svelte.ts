import { createContext } from 'svelte';

/** Where the window is. */
export type Place =
  | { at: 'accounts'; id: string | null }
  | { at: 'integrations'; name: string | null }
  | { at: 'activity' }
  | { at: 'webhooks'; id: string | null }
  | { at: 'settings' };

/** What lies over the page, if anything. */
export type Sheet =
  { kind: 'connect'; integration: string | null } | { kind: 'reauthorize'; id: string } | null;

/** Where the window is and what lies over it. */
export class Route {
  place = $state<Place>({ at: 'accounts', id: null });
  sheet = $state<Sheet>(null);
  /** The accounts' search is wanted; their page takes it up as soon as it is there. */
  finding = $state(false);

  go(place: Place): void {
    this.sheet = null;
    this.place = place;
  }

  /** To the accounts' search, from wherever the window is. What is chosen there stays so. */
  find(): void {
    if (this.place.at !== 'accounts') this.go({ at: 'accounts', id: null });
    this.finding = true;
  }

  open(sheet: Sheet): void {
    this.sheet = sheet;
  }

  close(): void {
    this.sheet = null;
  }
}

export const [getRoute, setRoute] = createContext<Route>();
