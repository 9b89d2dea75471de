//! What providers answer and the twins don't: mappings with odd records.

use anyhow::{Context, Result, ensure};
use relink_jsonata::Engines;
use serde_json::{Value, json};

use super::{document, eval};

/// A model, an integration, a resource, a record of a list, and what becomes of it.
fn records() -> [(&'static str, &'static str, &'static str, Value, Value); 5] {
    let paragraph = |parts: Value| json!({ "type": "paragraph", "content": parts });
    let description = json!({ "type": "doc", "version": 1, "content": [
        paragraph(json!([{ "type": "text", "text": "Ask " }, { "type": "mention", "attrs": { "id": "1", "text": "@Ada" } }, { "type": "hardBreak" }, { "type": "text", "text": "now." }])),
        { "type": "bulletList", "content": [{ "type": "listItem", "content": [paragraph(json!([{ "type": "text", "text": "One" }]))] }] },
    ] });
    let repository = "https://api.github.com/repos/octo/engine";
    [
        (
            "ticketing",
            "github",
            "tickets",
            json!({ "number": 1, "title": "A pull request", "state": "open", "repository_url": repository, "pull_request": { "url": "https://api.github.com" } }),
            Value::Null,
        ),
        (
            "ticketing",
            "github",
            "tickets",
            json!({ "number": 2, "title": "By a ghost", "body": null, "state": "open", "user": null, "labels": [], "assignees": [], "closed_at": null, "repository_url": repository }),
            json!({ "id": "octo/engine/2", "number": "2", "name": "By a ghost", "status": "open", "tags": [], "collection": { "id": "octo/engine", "name": "engine" }, "assignees": [] }),
        ),
        (
            "ticketing",
            "jira",
            "tickets",
            json!({ "id": "1", "key": "A-1", "fields": { "summary": "Odd", "description": description, "priority": { "name": "Blocker" }, "status": { "statusCategory": { "key": "new" } }, "labels": [], "assignee": null, "reporter": null } }),
            json!({ "id": "1", "number": "A-1", "name": "Odd", "description": "Ask @Ada\nnow.\n\nOne", "status": "open", "tags": [], "assignees": [] }),
        ),
        (
            "crm",
            "hubspot",
            "contacts",
            json!({ "id": "1", "properties": { "firstname": null, "lastname": "Lovelace", "email": null } }),
            json!({ "id": "1", "name": "Lovelace", "last_name": "Lovelace" }),
        ),
        (
            "crm",
            "salesforce",
            "deals",
            json!({ "Id": "1", "Name": "Free", "Amount": 0, "AccountId": null, "CloseDate": null, "IsClosed": true, "IsWon": false }),
            json!({ "id": "1", "name": "Free", "amount": 0, "status": "lost" }),
        ),
    ]
}

#[tokio::test]
async fn what_a_record_lacks_is_left_out_and_what_is_no_such_record_is_dropped() -> Result<()> {
    let engines = Engines::default();
    for (model, integration, resource, record, expected) in records() {
        let mapping = document(model)?["mappings"][integration][resource]["list"]["response_mapping"].clone();
        let input = json!({ "response": [record], "query": {} });
        let found = eval(&engines, &mapping, &input).await.with_context(|| format!("{integration} {resource}"))?;
        // A list of one record is that record, as everywhere in JSONata.
        ensure!(found.as_ref() == Some(&expected), "{integration} {resource}: {found:?} instead of {expected}");
    }
    Ok(())
}

/// What providers say of a refused record, which Relink itself refuses before it is sent.
#[tokio::test]
async fn the_message_of_an_error_has_all_that_the_provider_says() -> Result<()> {
    let engines = Engines::default();
    let github = json!({ "message": "Validation Failed", "errors": [
        { "resource": "Issue", "field": "title", "code": "missing_field" }, { "message": "body is too long" },
    ] });
    let salesforce =
        json!([{ "message": "Required fields are missing: [LastName]", "errorCode": "REQUIRED_FIELD_MISSING" }]);
    for (model, integration, resource, error, says) in [
        ("ticketing", "github", "tickets", github, "Validation Failed. title: missing_field. body is too long"),
        ("crm", "salesforce", "contacts", salesforce, "Required fields are missing: [LastName]"),
    ] {
        let mapping = document(model)?["mappings"][integration][resource]["create"]["error_mapping"].clone();
        let found = eval(&engines, &mapping, &json!({ "error": error, "status": 422 })).await?;
        ensure!(found == Some(json!({ "message": says })), "{integration}: {found:?}");
    }
    Ok(())
}
