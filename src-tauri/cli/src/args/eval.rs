//! The grammar of `relink eval`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use serde_json::value::RawValue;

/// A name without its `$`, and its value.
pub(crate) type Binding = (String, Box<RawValue>);

#[derive(Debug, Args)]
// Otherwise its group would have the same name as that of the command.
#[group(skip)]
pub(crate) struct Eval {
    /// Expression. With --from-file, the first argument is the input.
    #[arg(value_name = "EXPR", required_unless_present = "from_file")]
    first: Option<String>,
    /// File with the input as JSON, or - for standard input [default: no input].
    #[arg(value_name = "FILE", conflicts_with = "from_file")]
    second: Option<PathBuf>,
    /// Read the expression from a file, or from standard input if it is -.
    #[arg(short = 'f', long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Value of $NAME in the expression, as JSON.
    #[arg(long, value_name = "NAME=JSON", value_parser = binding)]
    pub(crate) binding: Vec<Binding>,
    /// Seconds that the evaluation may take.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// Where the expression is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    Text(String),
    File(PathBuf),
}

impl Eval {
    /// The expression, and the file of the input.
    pub(crate) fn sources(self) -> (Expression, Option<PathBuf>) {
        match self.from_file {
            Some(file) => (Expression::File(file), self.first.map(PathBuf::from)),
            None => (Expression::Text(self.first.unwrap_or_default()), self.second),
        }
    }
}

/// Parses `name=json`. The name may have the `$` that it has in the expression.
fn binding(argument: &str) -> Result<Binding, String> {
    let (name, json) = argument.split_once('=').ok_or("it has no =")?;
    let name = name.strip_prefix('$').unwrap_or(name);
    if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_alphanumeric()) {
        return Err("the name may have letters, digits and _".to_owned());
    }
    let value = serde_json::from_str(json)
        .map_err(|error| format!("the value isn't JSON: {error}. A text needs double quotes: {name}='\"Ada\"'"))?;
    Ok((name.to_owned(), value))
}

fn seconds(argument: &str) -> Result<Duration, String> {
    const MAX_SECONDS: f64 = 3_600.0;
    match argument.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MAX_SECONDS => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("it has to be a number above 0 and at most {MAX_SECONDS}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        eval: Eval,
    }

    fn parse(arguments: &[&str]) -> Result<Eval, clap::Error> {
        Line::try_parse_from([&["eval"], arguments].concat()).map(|line| line.eval)
    }

    #[test]
    fn the_first_argument_is_the_input_if_the_expression_is_in_a_file() {
        let parts = |arguments: &[&str]| parse(arguments).expect("valid").sources();
        let text = |text: &str| Expression::Text(text.to_owned());
        let file = |name: &str| Expression::File(name.into());
        assert_eq!(parts(&["a.b"]), (text("a.b"), None));
        assert_eq!(parts(&["a.b", "-"]), (text("a.b"), Some("-".into())));
        assert_eq!(parts(&["-f", "m.jsonata"]), (file("m.jsonata"), None));
        assert_eq!(parts(&["in.json", "--from-file", "m.jsonata"]), (file("m.jsonata"), Some("in.json".into())));
        for refused in [&[][..], &["a", "b", "c"], &["a", "b", "-f", "m"], &["a", "--timeout", "0"]] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_binding_keeps_the_text_of_its_json() {
        for (argument, name, json) in [
            ("x=1", "x", "1"),
            ("$x=[1, 2]", "x", "[1, 2]"),
            ("big_id=12345678901234567890123", "big_id", "12345678901234567890123"),
            ("é=\"a=b\"", "é", "\"a=b\""),
        ] {
            let (parsed, value) = binding(argument).expect("valid");
            assert_eq!((parsed.as_str(), value.get()), (name, json));
        }
        for refused in ["x", "=1", "$=1", "a.b=1", "x=", "x=Ada", "x=1 2"] {
            assert!(binding(refused).is_err(), "{refused}");
        }
        assert!(binding("x=Ada").expect_err("no JSON").contains("x='\"Ada\"'"));
    }

    #[test]
    fn the_time_limit_is_a_number_of_seconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for refused in ["0", "-1", "3601", "NaN", "inf", "1s", ""] {
            assert!(seconds(refused).is_err(), "{refused}");
        }
    }
}
