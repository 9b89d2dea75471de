//! The sync jobs of the documentation are jobs.

use std::{fs, path::Path};

use relink_domain::sync::{Form, Job, warnings};
use serde_json::{Map, Value};

#[test]
fn each_job_of_the_documentation_can_be_written() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sync-jobs.md");
    let text = fs::read_to_string(file).expect("docs/sync-jobs.md is there");
    let examples: Vec<&str> = text.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let job: Map<String, Value> =
            serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert!(job.get("resources").is_some_and(Value::is_array), "{example}");
        Job::check(&job).unwrap_or_else(|error| panic!("{error}: {example}"));
        let form = Form::of_runtime(Job::load(&job).expect("loads").version);
        assert_eq!(warnings(&job["resources"], form), [] as [String; 0], "{example}");
    }
}
