//! Attacks through the browser: swapped sign-ins, links in another process's arguments.
