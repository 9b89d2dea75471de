import { ConnectApi } from '../connect/api';
import { ConnectFlow } from '../connect/flow';
import { FlowKeys } from '../connect/flow-keys';
import type { LinkResult } from '../connect/opener';
import { requestFrom } from '../connect/urls';
import type { View } from '../connect/views';
import type { FakeServer } from './fake-server';

/** localStorage, which all tabs of a browser share. */
export function storage(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    clear: () => kept.clear(),
    key: (at) => [...kept.keys()][at] ?? null,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  };
}

/** A tab without a browser: the URLs that it opened and navigated to. */
export interface FakeTab {
  connect: ConnectFlow;
  opened: string[];
  left: string[];
  reported: LinkResult[];
}

/** Opens a tab at a URL of the connect UI. */
export function openTab(relink: FakeServer, shelf: Storage, address = '/connect-account/open/n'): FakeTab {
  const page = new URL(address, 'http://127.0.0.1:7417');
  const opened: string[] = [];
  const left: string[] = [];
  const reported: LinkResult[] = [];
  const browser = {
    keys: new FlowKeys(shelf),
    open: (url: string) => void opened.push(url),
    leave: (url: string) => void left.push(url),
    report: (result: LinkResult) => void reported.push(result),
  };
  const api = new ConnectApi('/connect-account', relink.fetch);
  const connect = new ConnectFlow(api, browser, requestFrom(page), () => {});
  void connect.start();
  return { connect, opened, left, reported };
}

/** The current view, which must be of this kind. */
export function viewOf<At extends View['at']>(connect: ConnectFlow, at: At): Extract<View, { at: At }> {
  const { view } = connect.state;
  if (view.at !== at) throw new Error(`expected the view ${at}, but it is ${view.at}`);
  return view as Extract<View, { at: At }>;
}
