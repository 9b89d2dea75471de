//! What the tests that compare the engine with Node share: cases, answers, Node itself, and the accepted differences.
//! The head of `js/reference.mjs` describes the files' format.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use relink_jsonata::{Bindings, Engines, EvalError, Limits, Settings, UnknownNames};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The committed answers come from this version of Node. Others word their own errors differently and know other zones.
const NODE: &str = "v20.";

#[derive(Deserialize, Serialize)]
pub struct Case {
    pub id: String,
    pub expr: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bindings: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timelimit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u64>,
}

/// Keeps JSON's `null` apart from a missing member.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

/// What an evaluation gave. Results are JSON text, so that they are compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Gives(String),
    Undefined,
    NotJson(String),
    Error(ErrorAnswer),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ErrorAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
    /// In UTF-16 units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
}

#[derive(Deserialize)]
struct AnswerFields {
    #[serde(default, deserialize_with = "present")]
    gives: Option<Box<RawValue>>,
    not_json: Option<String>,
    error: Option<ErrorAnswer>,
}

impl From<AnswerFields> for Answer {
    fn from(fields: AnswerFields) -> Self {
        match fields {
            AnswerFields { gives: Some(text), .. } => Self::Gives(text.get().into()),
            AnswerFields { not_json: Some(what), .. } => Self::NotJson(what),
            AnswerFields { error: Some(error), .. } => Self::Error(error),
            _ => Self::Undefined,
        }
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        AnswerFields::deserialize(from).map(Into::into)
    }
}

/// As a line of the case files has it, so that a failure's text can be pasted.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gives(text) => write!(f, r#"{{"gives": {text}}}"#),
            Self::Undefined => write!(f, r#"{{"undefined": true}}"#),
            Self::NotJson(what) => write!(f, r#"{{"not_json": "{what}"}}"#),
            Self::Error(error) => write!(f, r#"{{"error": {}}}"#, serde_json::to_string(error).unwrap()),
        }
    }
}

impl Answer {
    /// Results are the same if their text is, errors if code, message and position are.
    pub fn is_as_in_node(&self, node: &Answer) -> bool {
        match (self, node) {
            // JSON.stringify gives undefined for a function and fails for the others.
            (Self::Undefined, Self::NotJson(what)) => what == "function",
            (Self::Error(ours), Self::NotJson(what)) => what != "function" && ours.code.as_deref() == Some("not_json"),
            _ => self == node,
        }
    }
}

impl From<Result<Option<Box<RawValue>>, EvalError>> for Answer {
    fn from(result: Result<Option<Box<RawValue>>, EvalError>) -> Self {
        match result {
            Ok(Some(text)) => Self::Gives(text.get().into()),
            Ok(None) => Self::Undefined,
            // Which limit ends an evaluation without an end depends on the machine.
            Err(error) if error.kind.is_limit() => Self::Error(ErrorAnswer {
                code: Some("limit".into()),
                message: "One of the limits ended the evaluation.".into(),
                position: None,
            }),
            Err(error) => Self::Error(ErrorAnswer {
                position: error.position.map(|at| at.offset),
                code: error.code,
                message: error.message,
            }),
        }
    }
}

pub fn engines() -> Engines {
    Engines::new(Settings { unknown_names: UnknownNames::Undefined, ..Settings::default() })
}

/// Generous, so that a busy machine does not turn a result into a limit's error.
fn limits(case: &Case) -> Limits {
    let time = case.timelimit.map_or(Duration::from_mins(1), |milliseconds| Duration::from_millis(2 * milliseconds));
    Limits { time, memory: 512 << 20, output: 1 << 28, ..Limits::default() }
}

pub async fn evaluate(engines: &Engines, case: &Case) -> Answer {
    let bindings = Bindings::new(case.bindings.clone().unwrap_or_default());
    engines.eval(case.expr.as_str().into(), case.data.clone(), bindings, limits(case)).await.into()
}

/// A difference from Node that is accepted, with the reason for it.
#[derive(Deserialize)]
pub struct Difference {
    pub id: String,
    pub reason: String,
    pub ours: Answer,
    pub node: Answer,
}

/// Compares answers with Node's and collects what is neither the same nor an accepted difference.
pub struct Comparison {
    accepted: BTreeMap<String, Difference>,
    compared: usize,
    complaints: Vec<String>,
}

impl Comparison {
    pub fn accepting(differences: &Path) -> Self {
        let accepted: BTreeMap<_, _> =
            lines(differences).iter().map(|line| from_line::<Difference>(line)).map(|it| (it.id.clone(), it)).collect();
        let complaints = accepted
            .values()
            .filter(|it| it.reason.trim().is_empty())
            .map(|it| format!("{} is accepted without a reason", it.id))
            .collect();
        Self { accepted, compared: 0, complaints }
    }

    pub fn compare(&mut self, case: &Case, ours: &Answer, node: &Answer) {
        self.compared += 1;
        let Case { id, expr, .. } = case;
        let complaint = match self.accepted.remove(id) {
            None if ours.is_as_in_node(node) => return,
            None => "differs",
            Some(_) if ours.is_as_in_node(node) => "is listed as a difference, but is none any more: remove the line",
            Some(listed) if listed.ours == *ours && listed.node == *node => return,
            Some(_) => "differs in another way than the one that is accepted",
        };
        self.complaints.push(format!("{id} {complaint}\n  {expr}\n  ours {ours}\n  Node {node}"));
    }

    /// Everything that is neither as in Node nor accepted. An accepted difference that is none any more counts, too.
    pub fn complaints(mut self) -> Vec<String> {
        assert!(self.compared > 0, "nothing was compared");
        self.complaints
            .extend(self.accepted.keys().map(|id| format!("{id} is listed as a difference, but is no case")));
        self.complaints
    }
}

pub fn crate_path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

pub fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

pub fn from_line<'a, T: Deserialize<'a>>(line: &'a str) -> T {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Runs `reference.mjs`, or says why that can't be done here.
pub fn node(arguments: &[&str], stdin: &str) -> Result<Output, String> {
    let js = crate_path("js");
    if !js.join("node_modules").is_dir() {
        return Err("js/node_modules is absent (npm ci)".into());
    }
    let version = Command::new("node").arg("--version").output().map_err(|error| format!("node: {error}"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if !version.starts_with(NODE) {
        return Err(format!("Node is {version}, not {NODE}x"));
    }
    let mut child = Command::new("node")
        .arg(js.join("reference.mjs"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("node: {error}"))?;
    // The script reads all of its input before it writes.
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    Ok(child.wait_with_output().unwrap())
}
