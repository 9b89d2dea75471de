//! How steps are named, so that a repeated one is known.

use serde_json::json;

use super::world::{Asked, Script, answer};

#[tokio::test]
async fn each_step_has_one_name_whenever_the_call_is_made() {
    // Given steps of each kind, two of them under one name in different lists, and records with and without an id
    let own = json!({"type": "request", "config": {"method": "post", "path": "/sessions"}});
    let config = json!({
        "before": [
            {"name": "opened", "type": "request", "config": {"resource": "sessions", "method": "create"}},
            {"type": "transform", "config": "1"},
            own,
            {"name": "1", "type": "request", "config": {"resource": "crm/deals", "method": "create"}},
        ],
        "response_mapping": "response.{\"id\": Id}",
        "side_load": {
            "owner": {"resource": "owners", "method": "create"},
            "seen": {"resource": "owners", "method": "create", "run_if": "record.id = 8"},
        },
        "after": [
            {"name": "opened", "type": "request", "config": "{\"resource\": \"sessions\", \"method\": \"create\"}"},
        ],
    });
    let expected = [
        "before.opened",
        "before[2]",
        "before.1",
        "side_load.owner/\"seven\"",
        "side_load.owner/8",
        "side_load.owner/[2]",
        "side_load.seen/8",
        "after.opened",
    ];
    for _ in 0..2 {
        let list = json!({"data": [{"Id": "seven"}, {"Id": 8}, {}], "page": {}});
        let mut answers = vec![json!({"data": {}}); 9];
        answers[3] = list;
        let script = Script::new(answers);
        // When it is called, and when it is called again
        answer(&config, Asked { method: "list", ..Asked::default() }, &script).await.expect("an answer");
        // Then their names are the same, and no two steps share one
        assert_eq!(script.steps(), expected);
    }
}
