import { invoke as invokeTauri } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { HostError, errorViewOf, type Host } from './host';
import type { ErrorView, Events } from './types';

function isErrorView(thrown: unknown): thrown is ErrorView {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'title' in thrown;
}

function on<E extends keyof Events>(event: E, listener: (payload: Events[E]) => void): () => void {
  const unlisten = listen<Events[E]>(event, ({ payload }) => listener(payload));
  return () => void unlisten.then((stop) => stop());
}

/** The program that this window belongs to. The only module that knows Tauri. */
export const tauri: Host = {
  async invoke(command, ...args) {
    try {
      return await invokeTauri(command, args[0] ?? {});
    } catch (thrown) {
      throw new HostError(isErrorView(thrown) ? thrown : errorViewOf(thrown));
    }
  },
  onChanged: (listener) => on('changed', listener),
  onShow(listener) {
    // The window may have been sent somewhere before its page could listen.
    void tauri.invoke('initial_destination').then((destination) => destination && listener(destination));
    return on('show', listener);
  },
};
