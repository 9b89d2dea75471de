//! Attacks by another user who takes Relink's port.
