import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { HostError, errorViewOf, type Host } from './host';
import type { Changed, Show, ErrorView } from './types';

function isTrouble(thrown: unknown): thrown is ErrorView {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'title' in thrown;
}

function on<T>(event: string, listener: (payload: T) => void): () => void {
  const listening = listen<T>(event, ({ payload }) => listener(payload));
  return () => void listening.then((end) => end());
}

/** The program around this window. The only module that knows Tauri. */
export const tauri: Host = {
  async ask(command, ...args) {
    try {
      return await invoke(command, args[0] ?? {});
    } catch (thrown) {
      throw new HostError(isTrouble(thrown) ? thrown : errorViewOf(thrown));
    }
  },
  onChanged: (listener) => on<Changed>('changed', listener),
  onShow(listener) {
    // Whoever opened this window may have sent it somewhere before its page was there.
    void tauri.ask('arrival').then((place) => place && listener(place));
    return on<Show>('show', listener);
  },
};
