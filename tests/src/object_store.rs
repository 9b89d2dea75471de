//! An S3-compatible store: npm's `s3rver`, which stores objects for one access key that it knows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::process;

/// The key that it knows. Its secret is the same.
const KEY: &str = "S3RVER";
const BUCKET: &str = "exports";
/// What the file of an object ends with.
const OBJECT: &str = "._S3rver_object";

/// A server with one bucket, which ends with it.
#[derive(Debug)]
pub struct ObjectStore {
    folder: PathBuf,
    url: String,
    _server: Child,
    /// The server ends when nobody can read what it prints.
    _output: Lines<BufReader<ChildStdout>>,
}

impl ObjectStore {
    /// Starts it over a new folder.
    pub async fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut command = Command::new("node");
        command.arg(process::workspace().join("tests/node_modules/s3rver/bin/s3rver.js"));
        command.args(["--silent", "--address", "127.0.0.1", "--port", "0", "--configure-bucket", BUCKET]);
        command.arg("--directory").arg(folder).stdout(Stdio::piped());
        let mut server = process::spawn(command)?;
        let mut output = BufReader::new(server.stdout.take().context("is piped")?).lines();
        let port = loop {
            let line = output.next_line().await?;
            let line = line.context("the store has exited: run npm ci in tests/ (make setup does)")?;
            if let Some(port) = line.rsplit(':').next().and_then(|end| end.trim().parse::<u16>().ok()) {
                break port;
            }
        };
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { folder: folder.to_owned(), url, _server: server, _output: output })
    }

    /// A datastore that writes into its bucket.
    pub fn datastore(&self) -> Value {
        json!({ "type": "s3", "label": "Exports", "config": {
            "access_key_id": KEY, "secret_access_key": KEY, "region": "eu-central-1", "bucket": BUCKET, "base_url": self.url,
        } })
    }

    /// The texts of the objects below a prefix.
    pub fn objects(&self, prefix: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.join(BUCKET).join(prefix)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().ends_with(OBJECT) {
                    found.push(fs::read_to_string(entry.path())?);
                }
            }
        }
        Ok(found)
    }
}
