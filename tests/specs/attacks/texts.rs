//! Attacks through the texts of a provider, and through its addresses.
