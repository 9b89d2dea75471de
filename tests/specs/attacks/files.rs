//! Attacks through files: modes, symlinks, pipes, core dumps.
