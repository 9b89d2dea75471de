import { createSubscriber } from 'svelte/reactivity';

/** The current time, updated every ten seconds while a component uses it. */
class Clock {
  #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, 10_000);
    return () => clearInterval(timer);
  });

  get now(): number {
    this.#subscribe();
    return Date.now();
  }
}

export const clock = new Clock();
