//! Attacks that redirect credentials to another origin, or hide secrets in definitions.
