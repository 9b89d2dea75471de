//! The whole example of a definition in docs/definitions.md.

use relink_domain::integration::parse;

const DOCUMENT: &str = include_str!("../../../docs/definitions.md");

#[test]
fn the_example_of_the_documentation_is_a_definition_without_a_warning() {
    let example = DOCUMENT.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let parsed = parse(example).expect("a definition");
    assert_eq!(parsed.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    let definition = parsed.definition;
    assert_eq!(definition.name(), "tasks");
    assert!(definition.actions().form().is_some(), "it shows a form");
    assert!(definition.resources().get("items").is_some(), "it shows a resource");
}
