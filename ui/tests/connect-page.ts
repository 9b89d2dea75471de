import { afterEach, beforeEach, expect, vi } from 'vitest';
import { FakeServer } from './fake-server';
import { openTab, storage, viewOf, type FakeTab } from './fake-tab';

/** The Relink of the test that runs. */
export let relink: FakeServer;
/** What its browser stores. */
export let shelf: Storage;

/** Gives each test of a file a Relink and a browser of its own, and virtual time. */
export function setUpConnectPage(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    relink = new FakeServer();
    shelf = storage();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** From now on, tabs open in a browser that knows nothing. */
export function useOtherBrowser(): void {
  shelf = storage();
}

/** Runs everything that is due now. */
export async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

export const tab = (address?: string): FakeTab => openTab(relink, shelf, address);

/** A tab whose flow waits for the provider. */
export async function waitingTab(): Promise<FakeTab> {
  const one = tab();
  await settled();
  void one.connect.begin();
  await settled();
  expect(viewOf(one.connect, 'flow').flow.phase).toBe('waiting');
  return one;
}
