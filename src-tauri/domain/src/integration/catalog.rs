//! The built-in integrations.

use std::sync::LazyLock;

use super::definition::{Definition, parse};

/// Their files. Each names its integration's id, which must stay the same in every version of Relink.
const FILES: [&str; 9] = [
    include_str!("../../../integrations/sandbox.json"),
    include_str!("../../../integrations/github.json"),
    include_str!("../../../integrations/google.json"),
    include_str!("../../../integrations/notion.json"),
    include_str!("../../../integrations/microsoft.json"),
    include_str!("../../../integrations/slack.json"),
    include_str!("../../../integrations/hubspot.json"),
    include_str!("../../../integrations/jira.json"),
    include_str!("../../../integrations/salesforce.json"),
];

static CATALOG: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let read = |text: &&str| parse(text).map(|parsed| parsed.definition);
    // A malformed file would be a defect of this build; the tests below check each.
    FILES.iter().map(read).collect::<Result<_, _>>().expect("the built-in catalog is well-formed")
});

/// All built-in definitions.
pub fn catalog() -> &'static [Definition] {
    &CATALOG
}

/// The built-in definition of this name.
pub fn built_in(name: &str) -> Option<&'static Definition> {
    catalog().iter().find(|definition| definition.name() == name)
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
