//! Datastores.

use std::env;

use relink_contract::datastore::{Datastore, DatastoreDocument};
use serde_json::{Map, Value};

use crate::{
    api_client::ApiClient,
    args::{Datastores, NewDatastore},
    commands::{
        input::read_stdin,
        lookup::{self, Listed},
    },
    exit::CliError,
    output::Output,
    table::Cell,
};

/// The environment variables that S3's own tools read.
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// The one method of an S3 datastore.
const UPLOAD: &str = "uploadObject";

pub(super) fn run(client: &ApiClient, command: Datastores, output: Output) -> Result<(), CliError> {
    match command {
        Datastores::List => {
            let empty = "There are no datastores. To add one: relink sync datastores add --help";
            output.list(&client.datastores()?, |datastores| datastores.result.iter().map(row).collect(), empty)
        }
        Datastores::Show { datastore } => output.text(&find(client, &datastore)?, describe),
        Datastores::Add(new) => {
            let keys = keys(env::var(KEY_ID).ok(), env::var(KEY).ok(), read_stdin)?;
            output.text(&client.create_datastore(&document(new, keys))?, |added| {
                format!("Added {}.\nTo test it: relink sync datastores test {}", added.label, added.id)
            })
        }
        Datastores::Remove { datastore } => {
            let found = find(client, &datastore)?;
            output.text(&client.delete_datastore(&found.id.to_string())?, |_| format!("Removed {}.", found.label))
        }
        Datastores::Test { datastore } => {
            let id = find(client, &datastore)?.id.to_string();
            output
                .text(&client.test_datastore(&id, UPLOAD)?, |_| "The datastore takes what sync jobs write.".to_owned())
        }
    }
}

impl Listed for Datastore {
    const ONE: &str = "datastore";
    const SEVERAL: &str = "datastores";
    const LIST: &str = "relink sync datastores list";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.label
    }

    fn description(&self) -> String {
        format!("{}  {}", self.id, self.label)
    }
}

fn find(client: &ApiClient, named: &str) -> Result<Datastore, CliError> {
    if lookup::is_complete_id(named) {
        return client.datastore(named);
    }
    lookup::choose(client.datastores()?.result, named)
}

/// The ID of the one that is named. A complete ID is taken as it is.
pub(super) fn find_id(client: &ApiClient, named: &str) -> Result<String, CliError> {
    if lookup::is_complete_id(named) {
        return Ok(named.to_owned());
    }
    find(client, named).map(|found| found.id.to_string())
}

/// Both keys: from the environment, or the two lines of standard input.
fn keys(
    id: Option<String>,
    key: Option<String>,
    read: impl FnOnce() -> Result<String, CliError>,
) -> Result<[String; 2], CliError> {
    if let (Some(id), Some(key)) = (id, key) {
        return Ok([id, key]);
    }
    let text = read()?;
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines[..] {
        [id, key] => Ok([id.to_owned(), key.to_owned()]),
        _ => Err(CliError::new(format!(
            "Give the datastore's keys in {KEY_ID} and {KEY}, or as two lines of standard input: the access key ID and the \
             secret access key. Nothing was added."
        ))),
    }
}

fn document(new: NewDatastore, [id, key]: [String; 2]) -> DatastoreDocument {
    let mut config: Map<String, Value> = [("region", new.region), ("bucket", new.bucket)]
        .map(|(name, text)| (name.to_owned(), text.into()))
        .into_iter()
        .collect();
    config.extend(new.base_url.map(|url| ("base_url".to_owned(), url.into())));
    config.insert("access_key_id".to_owned(), id.into());
    config.insert("secret_access_key".to_owned(), key.into());
    DatastoreDocument {
        kind: Some("s3".into()),
        label: Some(new.label.into()),
        config: Some(config.into()),
        allow_private: new.allow_private.then(|| true.into()),
    }
}

fn text<'d>(datastore: &'d Datastore, name: &str) -> &'d str {
    datastore.config.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn row(datastore: &Datastore) -> [Cell; 5] {
    [
        datastore.id.to_string().into(),
        datastore.label.as_str().into(),
        datastore.kind.as_str().into(),
        text(datastore, "bucket").into(),
        text(datastore, "base_url").into(),
    ]
}

fn describe(datastore: &Datastore) -> String {
    let mut lines = vec![
        datastore.label.clone(),
        format!("ID        {}", datastore.id),
        format!("Type      {}", datastore.kind),
        format!("Bucket    {}", text(datastore, "bucket")),
        format!("Region    {}", text(datastore, "region")),
    ];
    lines.extend(Some(text(datastore, "base_url")).filter(|url| !url.is_empty()).map(|url| format!("Base URL  {url}")));
    lines.push(if datastore.secrets.is_empty() {
        "Keys      not set".to_owned()
    } else {
        format!("Keys      set, and not shown: {}", datastore.secrets.join(", "))
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_the_environment_or_standard_input() {
        let given = |text: &str| {
            let text = text.to_owned();
            move || Ok(text)
        };
        let both = keys(Some("id".to_owned()), Some("key".to_owned()), given("unused"));
        assert_eq!(both.expect("given"), ["id", "key"]);
        assert_eq!(keys(Some("id".to_owned()), None, given("a\n\n b \n")).expect("two lines"), ["a", "b"]);
        for text in ["", "one", "a\nb\nc"] {
            let error = keys(None, None, given(text)).expect_err(text).to_string();
            assert!(error.contains("AWS_ACCESS_KEY_ID") && !error.contains("one"), "{error}");
        }
    }
}
