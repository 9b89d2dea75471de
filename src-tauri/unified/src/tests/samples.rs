//! Mappings on a sample, in place of a provider.

use relink_domain::unified::{Mapping, UnifiedMethod};
use serde_json::{Value, json};

use super::world::JSONATA;
use crate::{Failure, Sample, SampleTrial, UnifiedAnswer};

async fn tried(config: &Value, method: &str, sample: Value) -> SampleTrial {
    let (mapping, _) = Mapping::check(config.as_object().expect("a config")).expect("a good config");
    let sample: Sample = serde_json::from_value(sample).expect("a sample");
    let of = UnifiedMethod { model: "crm", resource: "contacts", method };
    sample.run(&*JSONATA, of, "acme", &mapping).await
}

fn answered(tried: SampleTrial) -> Value {
    match tried.trial.outcome.expect("an answer") {
        UnifiedAnswer::Data(answer) => answer.into_json(),
        UnifiedAnswer::File(never) => match never {},
    }
}

#[tokio::test]
async fn a_sample_goes_through_the_whole_mapping() {
    let config = json!({
        "before": [{"name": "me", "type": "request", "config": {"resource": "me", "method": "get"}}],
        "resource": "people",
        "query_mapping": "{'owner': before.me.id, 'max': query.limit, 'after': query.cursor, 'org': context.org}",
        "response_mapping": "response.{'id': $string(id)}",
        "side_load": {"company": {"resource": "companies", "method": "get", "id": "{{response.company}}"}},
    });
    let sample = json!({
        "query": {"limit": 5, "next_cursor": "c2"},
        "context": {"org": "acme-1"},
        "response": [{"id": 1, "company": 7}],
        "calls": {"me/get": {"id": "u1"}},
    });
    let tried = tried(&config, "list", sample).await;
    assert_eq!(tried.unanswered, ["companies/get"]);
    assert_eq!(
        tried.trial.sent,
        Some(json!({"resource": "people", "method": "list", "query": {
            "owner": "u1", "max": 5, "after": "c2", "org": "acme-1", "limit": "5", "next_cursor": "c2",
        }}))
    );
    assert_eq!(tried.trial.received, Some(json!([{"id": 1, "company": 7}])));
    let expected = json!({"id": "1", "company": null, "remote_data": {"id": 1, "company": 7}});
    assert_eq!(answered(tried)["result"][0], expected);
}

#[tokio::test]
async fn a_samples_error_is_the_providers() {
    let config = json!({ "error_mapping": "{'message': error.reason, 'status': 409}" });
    let sample = json!({"id": "9", "error": {"status": 400, "body": {"reason": "There is one"}}});
    let tried = tried(&config, "get", sample).await;
    let Err(Failure::Remote(remote)) = tried.trial.outcome else { panic!("{tried:?}") };
    assert_eq!((remote.status, &remote.body["message"]), (409, &json!("There is one")));
    assert_eq!(remote.body["raw_response"], json!({"reason": "There is one"}));
}

#[tokio::test]
async fn what_was_sent_and_received_is_known_when_the_mapping_fails() {
    let config = json!({"request_body_mapping": "{'n': body.name}", "response_mapping": "response.id + 1"});
    let sample = json!({"body": {"name": "Ada"}, "response": {"id": "x"}});
    let tried = tried(&config, "create", sample).await;
    assert_eq!(tried.trial.sent.as_ref().map(|sent| &sent["body"]), Some(&json!({"n": "Ada"})));
    assert_eq!(tried.trial.received, Some(json!({"id": "x"})));
    let Err(Failure::Mapping(failed)) = tried.trial.outcome else { panic!("{tried:?}") };
    assert_eq!((failed.key.as_str(), failed.record), ("response_mapping", None));
}

#[tokio::test]
async fn a_mapping_of_a_whole_list_names_the_record_that_it_failed_for() {
    let config = json!({ "response_mapping": "response.{'n': n + 1}" });
    let sample = json!({ "response": [{"n": 1}, {"n": 2}, {"n": "x"}, {"n": "y"}] });
    let Err(Failure::Mapping(failed)) = tried(&config, "list", sample).await.trial.outcome else { panic!("it fails") };
    assert_eq!((failed.record, failed.position.map(|at| (at.line, at.column))), (Some(2), Some((1, 18))));
    assert!(failed.to_string().contains("at response_mapping, for record 3, line 1, column 18: "), "{failed}");
}
