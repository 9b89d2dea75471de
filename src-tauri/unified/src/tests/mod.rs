//! What a mapping does, key by key (contract section 8.2), with the real JSONata and a provider that a test scripts.

mod cases;
mod failures;
mod order;
mod records;
mod samples;
mod steps;
mod world;
