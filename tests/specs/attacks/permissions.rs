//! Attacks by programs with an API token that may do less than the person.
