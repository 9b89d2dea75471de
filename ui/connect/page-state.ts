import type { Flow, FlowKey, Session } from './api';
import type { FlowKeys } from './flow-keys';
import type { LinkResult } from './opener';
import type { Look, View } from './views';

export interface PageState {
  session: Session | null;
  view: View;
  /** An action of the person is in progress. */
  busy: boolean;
  /** The keychain seems to be waiting for its password. */
  prompting: boolean;
  /** Relink doesn’t respond. The pending call is retried until it does. */
  unreachable: boolean;
}

/** What the flow needs of the browser. */
export interface Browser {
  keys: FlowKeys;
  /** Opens the provider's page in a new tab. */
  open(url: string): void;
  /** Leaves this page. */
  leave(url: string): void;
  /** Tells the page that opened this one as a pop-up how the link ended. */
  report(result: LinkResult): void;
}

/** The flow that this page follows until it ends. */
export interface Followed {
  key: FlowKey;
  /** The key of the return, if the provider returned to this page. */
  returnKey: string | null;
  look: Look;
  latest: Flow;
  /** The person ends up in this tab, so this tab goes to the link’s redirect URI. */
  redirectsHere: boolean;
}

/** Whether this page may claim the flow’s callback. */
export function mayClaim({ latest, returnKey }: Followed): boolean {
  return !latest.needs_return_key || returnKey !== null;
}
