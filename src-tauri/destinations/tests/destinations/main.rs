//! Destinations as a run uses them, over real files.

mod crash;
mod files;
mod gone;
mod jsonl;
mod parquet;
mod s3;
mod sqlite;
mod sqlite_values;
mod world;
