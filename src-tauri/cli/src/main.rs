//! relink
fn main() {}
