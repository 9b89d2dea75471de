//! `relink call`: a call of the provider's API with the account's credential, in the manner of `gh api`.

mod pages;

use std::{
    fs::File,
    io::{self, Cursor, Read},
};

use relink_contract::ErrorBody;
use serde_json::value::RawValue;
use ureq::{
    Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};

use super::lookup::find_account_id;
use crate::{
    api_client::{ApiClient, ProviderRequest},
    args::Call,
    exit::CliError,
    terminal::Stream,
};

/// So much of a response is shown in a terminal, and so long may a page or an error be.
const MAX_SHOWN_BYTES: u64 = 64 << 20;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) fn run(client: &ApiClient, call: &Call) -> Result<(), CliError> {
    let account = find_account_id(client, &call.id)?;
    run_with(client, call, &account).map_err(|error| error.about_account(&account))
}

fn run_with(client: &ApiClient, call: &Call, account: &str) -> Result<(), CliError> {
    if call.paginate {
        return pages::run(client, account, call);
    }
    let mut request = request(call, account);
    let response = match &call.data {
        None => client.call_provider(request, ())?,
        Some(data) => {
            request.headers.entry(header::CONTENT_TYPE).or_insert(JSON);
            send(client, request, data)?
        }
    };
    if call.include {
        print(Stream::Output.lines(&head(&response)))?;
    }
    let response = ok_or_shown(response)?;
    show(response.into_body().into_reader())
}

fn request(call: &Call, account: &str) -> ProviderRequest {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.header {
        headers.append(name.clone(), value.clone());
    }
    ProviderRequest { method: call.method(), path: format!("/via/{account}{}", call.path), headers }
}

/// Sends a body: the text, or what a file or standard input has, however long it is.
fn send(client: &ApiClient, request: ProviderRequest, data: &str) -> Result<Response<Body>, CliError> {
    match data.strip_prefix('@') {
        None => client.call_provider(request, data),
        Some("-") => client.call_provider(request, io::stdin()),
        Some(path) => {
            let file = File::open(path).map_err(|error| CliError::new(format!("{path} can't be read: {error}.")))?;
            client.call_provider(request, file)
        }
    }
}

/// The response, unless it is an error: then its body is shown, or Relink's own error is given as such.
fn ok_or_shown(response: Response<Body>) -> Result<Response<Body>, CliError> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(response);
    }
    let body = read(response.into_body())?;
    let of_relink =
        serde_json::from_slice::<ErrorBody>(&body).ok().filter(|error| error.status_code == status.as_u16());
    if let Some(error) = of_relink {
        return Err(CliError::from_error_body(&error));
    }
    show(Cursor::new(body))?;
    Err(CliError::new(format!("The provider responded with {}.", named(status))))
}

fn read(body: Body) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = body.into_reader().take(MAX_SHOWN_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| interrupted(&error))?;
    if bytes.len() as u64 > MAX_SHOWN_BYTES {
        return Err(CliError::new("The response is too long to be shown. Redirect the output to a file."));
    }
    Ok(bytes)
}

/// Writes a body: as it is for a program or a file, as text that can be read for a terminal.
fn show(mut body: impl Read) -> Result<(), CliError> {
    if !Stream::Output.is_terminal() {
        return print(Stream::Output.copy(&mut body));
    }
    let mut bytes = Vec::new();
    body.take(MAX_SHOWN_BYTES).read_to_end(&mut bytes).map_err(|error| interrupted(&error))?;
    if let Ok(json) = serde_json::from_slice::<&RawValue>(&bytes) {
        return print(Stream::Output.raw_json(json));
    }
    match std::str::from_utf8(&bytes) {
        Ok("") => Ok(()),
        Ok(text) => print(Stream::Output.lines(text.trim_end_matches('\n'))),
        Err(_) => Err(CliError::new("The response isn't text. Redirect the output to a file.")),
    }
}

/// Status line and headers, as HTTP/1.1 has them.
fn head(response: &Response<Body>) -> String {
    let first = format!("HTTP/1.1 {}\n", named(response.status()));
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        [name.as_str(), ": ", &String::from_utf8_lossy(value.as_bytes()), "\n"].concat()
    };
    [first].into_iter().chain(response.headers().iter().map(header)).collect()
}

fn named(status: StatusCode) -> String {
    status
        .canonical_reason()
        .map_or_else(|| status.as_str().to_owned(), |reason| format!("{} {reason}", status.as_str()))
}

fn print(printed: io::Result<()>) -> Result<(), CliError> {
    printed.map_err(|error| CliError::output(&error))
}

fn interrupted(error: &io::Error) -> CliError {
    CliError::new(format!("The response ended early: {error}."))
}
