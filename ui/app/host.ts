import { createContext } from 'svelte';
import type { Host } from '../host/host';
import type { Overview } from '../host/types';
import type { Live } from './live.svelte';

/** The program around the window, for every component below the frame. */
export const [getHost, setHost] = createContext<Host>();

/** How Relink is, which the frame follows. */
export const [getOverview, setOverview] = createContext<Live<Overview>>();
