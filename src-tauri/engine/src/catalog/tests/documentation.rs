//! Rows of documentation that several programs write.

use super::*;
use crate::store::documentation::EntityType;

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

#[tokio::test]
async fn changes_of_a_row_that_are_made_at_the_same_time_are_checked_together() {
    let it = Alone::open().await;
    let added = it.catalog.add(&PERSON, ACME).await.expect("added").installed;
    let document = object(&json!({ "type": "note", "content": "type: object" }));
    let entity_id = added.integration.id.to_string();
    let new = NewDocumentation { entity_type: EntityType::Integration, entity_id, document };
    let row = it.catalog.add_documentation(&PERSON, new).await.expect("added");
    // A note may have any text, and this one may become a schema; but not both.
    let change = |change: Value| it.catalog.change_documentation(&PERSON, row.id, object(&change));
    let (text, kind) = tokio::join!(change(json!({ "content": "type: [" })), change(json!({ "type": "query_schema" })));
    let refused: Vec<_> = [text, kind].into_iter().filter_map(Result::err).map(|error| error.code()).collect();
    assert_eq!(refused, ["documentation_invalid"]);
    let gone = it.catalog.delete_documentation(&PERSON, row.id).await;
    gone.expect("deleted");
    let error = change(json!({ "content": "" })).await.expect_err("gone");
    assert_eq!(error.code(), "not_found");
}
