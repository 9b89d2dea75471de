//! Guides in docs/ whose commands run as they stand there.

use std::{fs, os::unix::fs::symlink, process::Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Deserializer, Value};

use crate::{
    process,
    relink::{Relink, program},
    session::Session,
};

/// A block of commands.
#[derive(Debug)]
struct Step {
    commands: String,
    /// The JSON that the document says is printed, if the next block says so.
    printed: Option<String>,
}

/// A document's blocks of `sh`, each with the block of `json` that follows it.
#[derive(Debug)]
pub struct Guide(Vec<Step>);

impl Guide {
    /// Reads `docs/{name}`.
    pub fn read(name: &str) -> Result<Self> {
        let text = fs::read_to_string(process::workspace().join("docs").join(name))?;
        let mut steps: Vec<Step> = Vec::new();
        for block in text.split("```").skip(1).step_by(2) {
            match block.split_once('\n').context("a block without a line")? {
                ("sh", commands) => steps.push(Step { commands: commands.to_owned(), printed: None }),
                ("json", printed) => {
                    let step = steps.last_mut().filter(|step| step.printed.is_none());
                    step.context("a block of JSON after no command")?.printed = Some(printed.to_owned());
                }
                _ => {}
            }
        }
        ensure!(!steps.is_empty(), "no commands");
        Ok(Self(steps))
    }

    /// Runs the commands in one shell, and compares what each block prints with the document. `127.0.0.1:7417` is the test's Relink.
    pub async fn run(&self, session: &Session, relink: &Relink) -> Result<()> {
        let folder = session.folder().join("guide");
        fs::create_dir_all(&folder)?;
        symlink(fs::canonicalize(program())?, folder.join("relink"))?;
        let script: String = self.0.iter().enumerate().fold(String::new(), |script, (at, step)| {
            let commands = step.commands.replace("http://127.0.0.1:7417", relink.base_url());
            format!("{script}{{\n{commands}}} > step-{at}.out\n")
        });
        let mut command = session.command("bash");
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["-euo", "pipefail", "-c", &script]).current_dir(&folder);
        command.env("PATH", format!("{}:{path}", folder.display())).env("RELINK_DATA_DIR", relink.data_dir());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = tokio::process::Command::from(command).output().await?;
        let printed = |at: usize| fs::read_to_string(folder.join(format!("step-{at}.out"))).unwrap_or_default();
        let last = (0..self.0.len()).rev().map(printed).find(|text| !text.is_empty()).unwrap_or_default();
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {error}\nprinted last: {last}", output.status);
        for (at, step) in self.0.iter().enumerate() {
            let Some(expected) = &step.printed else { continue };
            let found = printed(at);
            ensure!(values(&found)? == values(expected)?, "{}prints\n{found}and not\n{expected}", step.commands);
        }
        Ok(())
    }
}

fn values(text: &str) -> Result<Vec<Value>> {
    let values = Deserializer::from_str(text).into_iter().collect::<Result<_, _>>();
    values.with_context(|| format!("no JSON: {text}"))
}
