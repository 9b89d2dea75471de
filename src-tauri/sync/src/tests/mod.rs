//! Runs over a provider, destinations and a journal in memory, with the JSONata of the program.

mod crash;
mod missing;
mod nodes;
mod scope;
mod waits;
mod world;
