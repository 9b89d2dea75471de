import { createContext } from 'svelte';
import type { Host } from '../host/host';

/** The program around the window, for every component below the frame. */
export const [getHost, setHost] = createContext<Host>();
