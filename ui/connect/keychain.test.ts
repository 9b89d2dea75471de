import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../tests/fake-server';
import { openTab, storage } from '../tests/fake-tab';
import type { Flow } from './api';

let relink: FakeServer;

/** Runs everything that is due now. */
async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  relink = new FakeServer();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('a keychain that asks for its password', () => {
  it('is pointed to while the flow can’t start, with a longer deadline than a poll', async () => {
    const deadlines = vi.spyOn(AbortSignal, 'timeout');
    const unlocks: ((flow: Partial<Flow>) => void)[] = [];
    relink.onCreate = () => new Promise((unlock) => unlocks.push(unlock));
    const { connect } = openTab(relink, storage());
    await settled();
    void connect.begin();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(connect.state).toMatchObject({ busy: true, prompting: false });
    await vi.advanceTimersByTimeAsync(1);
    expect(connect.state.prompting).toBe(true);
    expect(deadlines.mock.lastCall![0]).toBeGreaterThan(120_000);
    unlocks[0]!({ redirect: 'deep_link' });
    await settled();
    expect(connect.state).toMatchObject({ busy: false, prompting: false });
    expect(relink.count('create')).toBe(1);
    expect(deadlines.mock.lastCall![0]).toBe(40_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(connect.state.prompting).toBe(false);
  });
});
