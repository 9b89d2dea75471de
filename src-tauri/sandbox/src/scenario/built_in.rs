//! The scenarios that come with the Sandbox.

use super::Scenario;

const BUILT_IN: [(&str, &str); 8] = [
    ("github", include_str!("../../scenarios/github.json")),
    ("google", include_str!("../../scenarios/google.json")),
    ("hubspot", include_str!("../../scenarios/hubspot.json")),
    ("jira", include_str!("../../scenarios/jira.json")),
    ("microsoft", include_str!("../../scenarios/microsoft.json")),
    ("notion", include_str!("../../scenarios/notion.json")),
    ("salesforce", include_str!("../../scenarios/salesforce.json")),
    ("slack", include_str!("../../scenarios/slack.json")),
];

impl Scenario {
    /// The text of a scenario that comes with the Sandbox.
    pub fn built_in(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The names of the scenarios that come with the Sandbox.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }
}
