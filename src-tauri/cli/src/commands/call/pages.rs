//! Page after page, by the links in the responses' headers.

use std::collections::HashSet;

use relink_calls::url_of_relation;
use serde_json::value::RawValue;
use ureq::http::{HeaderMap, Uri};

use super::{ok_or_shown, print, read, request};
use crate::{
    api_client::{ApiClient, ProviderRequest},
    args::Call,
    exit::CliError,
    terminal::Stream,
};

pub(super) fn run(client: &ApiClient, account: &str, call: &Call) -> Result<(), CliError> {
    let first = request(call, account);
    let below = format!("/via/{account}");
    let mut next = Some(first.path.clone());
    let (mut seen, mut array) = (HashSet::new(), Array::default());
    let outcome = loop {
        let Some(path) = next else { break Ok(()) };
        if !seen.insert(path.clone()) {
            break Err(CliError::new("The provider's links lead back to a page that was read already."));
        }
        let request = ProviderRequest { path, ..first.clone() };
        match page(client, request, &below, &mut array) {
            Ok(following) => next = following,
            Err(error) => break Err(error),
        }
    };
    // What was read is a whole array, also if a later page failed.
    array.close()?;
    outcome
}

/// Prints a page. Gives the path of the next one.
fn page(
    client: &ApiClient,
    request: ProviderRequest,
    below: &str,
    array: &mut Array,
) -> Result<Option<String>, CliError> {
    let (head, body) = ok_or_shown(client.call_provider(request, ())?)?.into_parts();
    let next = next_path(&head.headers, below)?;
    let text = String::from_utf8(read(body)?)
        .map_err(|_| CliError::new("A page isn't text, so there is no link to follow in it."))?;
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(&text) {
        array.extend(&items)?;
        return Ok(next);
    }
    array.close()?;
    let printed = match serde_json::from_str::<&RawValue>(&text) {
        Ok(json) => Stream::Output.raw_json(json),
        Err(_) => Stream::Output.lines(&text),
    };
    print(printed)?;
    Ok(next)
}

/// The path of the next page at Relink.
fn next_path(headers: &HeaderMap, below: &str) -> Result<Option<String>, CliError> {
    let Some(url) = url_of_relation(headers, &["next"]) else { return Ok(None) };
    let outside = || CliError::new(format!("The next page isn't below the provider's base URL: {url}"));
    let uri: Uri = url.parse().map_err(|_| outside())?;
    let path = uri.path_and_query().map(ToString::to_string).filter(|path| path.starts_with(below));
    path.map(Some).ok_or_else(outside)
}

/// Arrays of several pages, printed as one.
#[derive(Debug, Default)]
struct Array {
    is_open: bool,
    has_items: bool,
}

impl Array {
    fn extend(&mut self, items: &[&RawValue]) -> Result<(), CliError> {
        if !self.is_open {
            print(Stream::Output.part("["))?;
            *self = Self { is_open: true, has_items: false };
        }
        for item in items {
            print(Stream::Output.part(if self.has_items { ",\n" } else { "\n" }))?;
            print(Stream::Output.raw_json_part(item))?;
            self.has_items = true;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), CliError> {
        if self.is_open {
            print(Stream::Output.part(if self.has_items { "\n]\n" } else { "]\n" }))?;
            *self = Self::default();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::{HeaderValue, header::LINK};

    use super::*;

    #[test]
    fn only_a_link_through_relink_is_followed() {
        let next =
            |link: &'static str| next_path(&HeaderMap::from_iter([(LINK, HeaderValue::from_static(link))]), "/via/a");
        let through = "<http://127.0.0.1:7417/via/a/repos?page=2>; rel=\"next\", <http://127.0.0.1:7417/via/a/repos>; rel=\"first\"";
        assert_eq!(next(through), Ok(Some("/via/a/repos?page=2".to_owned())));
        assert_eq!(next("<http://127.0.0.1:7417/via/a/repos>; rel=\"prev\""), Ok(None));
        assert_eq!(next_path(&HeaderMap::new(), "/via/a"), Ok(None));
        for outside in
            ["<https://other.example.com/repos?page=2>; rel=next", "<http://127.0.0.1:7417/relink/accounts>; rel=next"]
        {
            let error = next(outside).expect_err(outside).to_string();
            assert!(error.contains("isn't below the provider's base URL"), "{error}");
        }
    }
}
