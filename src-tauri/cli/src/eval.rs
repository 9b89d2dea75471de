//! `relink eval`.

mod excerpt;
mod source;

use std::{path::Path, sync::Arc};

use relink_jsonata::{Bindings, Engines, EvalError, Limits, Settings};
use serde_json::value::RawValue;

use self::{excerpt::Place, source::Source};
use crate::{
    args::{Eval, Expression},
    exit::CliError,
    terminal::Stream,
};

/// The memory that a value takes in the engine is this many times the length of its JSON, or less.
const MEMORY_PER_BYTE: usize = 40;

/// Evaluates an expression and prints the result. Nothing is printed if it is undefined.
pub(crate) fn run(mut arguments: Eval) -> Result<(), CliError> {
    let time = arguments.timeout;
    let bindings = Bindings::new(std::mem::take(&mut arguments.binding));
    let (expression, file) = arguments.sources();
    let (file_name, text) = match expression {
        Expression::Text(text) => (None, text),
        Expression::File(path) => {
            if is_stdin(&path) && file.as_deref().is_some_and(is_stdin) {
                return Err(CliError::new("Standard input can't be both the expression and the input."));
            }
            let source = Source::read(&path)?;
            (Some(source.name), source.text)
        }
    };
    let input = file.map(|path| Source::read(&path)?.into_json()).transpose()?;
    let size = input.as_ref().map_or(0, |input| input.get().len());
    let default = Limits::default();
    // Of the person's own file, more can be kept than of a provider's response.
    let limits = Limits {
        time,
        memory: default.memory.saturating_add(size.saturating_mul(MEMORY_PER_BYTE)),
        output: default.output.saturating_add(size),
        ..default
    };
    let result = evaluate(text.as_str().into(), input, bindings, limits)?
        .map_err(|error| describe(&error, &text, file_name.as_deref()))?;
    let Some(result) = result else { return Ok(()) };
    Stream::Output.raw_json(&result).map_err(|error| CliError::output(&error))
}

type Outcome = Result<Option<Box<RawValue>>, EvalError>;

fn evaluate(
    expression: Arc<str>,
    input: Option<Box<RawValue>>,
    bindings: Bindings,
    limits: Limits,
) -> Result<Outcome, CliError> {
    // The engine has its own thread, and this one only waits for it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| CliError::new(format!("Relink can't start: {error}.")))?;
    Ok(runtime.block_on(Engines::new(Settings::default()).eval(expression, input, bindings, limits)))
}

fn describe(error: &EvalError, expression: &str, file: Option<&str>) -> CliError {
    let code = error.code.as_deref().unwrap_or("Error");
    let file = file.map(|name| format!(" in {name}")).unwrap_or_default();
    let message = match error.position {
        Some(position) => {
            let place = Place { line: position.line, column: position.column, length: position.length };
            let excerpt = excerpt::render(expression, place);
            format!("{code}{file} at {position}: {}\n{excerpt}", error.message)
        }
        None => format!("{code}{file}: {}", error.message),
    };
    CliError::evaluation(error.kind, message, error.advice)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
