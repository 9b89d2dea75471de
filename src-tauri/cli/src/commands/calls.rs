//! `relink calls`.

use relink_contract::call::Call;

use super::lookup::find_account_id;
use crate::{
    api_client::ApiClient,
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn run(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let id = find_account_id(client, id)?;
    output.table(&client.calls(&id)?, |calls| calls.result.iter().map(row).collect())
}

fn row(call: &Call) -> [Cell; 6] {
    let status = call.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let tone = if call.failed { Tone::Bad } else { Tone::Plain };
    let took = call.headers_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
    let target = format!("{} {}", call.method, call.path);
    let error = call.error.as_deref().unwrap_or_default();
    [
        relative_time(Some(call.at)).into(),
        Cell::new(&status, tone),
        target.into(),
        took.into(),
        call.program.as_str().into(),
        error.into(),
    ]
}
