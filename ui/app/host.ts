import { createContext } from 'svelte';
import type { Host } from '../host/host';
import type { Overview } from '../host/types';
import type { Live } from './live.svelte';

/** The bridge to Rust, for every component of the window. */
export const [getHost, setHost] = createContext<Host>();

/** Relink’s current state, kept up to date by `App`. */
export const [getOverview, setOverview] = createContext<Live<Overview>>();
