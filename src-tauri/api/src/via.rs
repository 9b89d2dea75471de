//! `/via/{account}/…`: the pass-through that any HTTP client can use as its base URL. Everything goes as it is, with the
//! account's credential added (docs/api.md).

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use relink_calls::{AccountUrl, Incoming};
use relink_domain::{AccountId, call::CallRoute, caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    call_error::explain,
    error::{ApiError, no_such_method},
    openapi::{PassThroughErrors, Routes},
    permit::{self, TokenPlace},
    recording::{Begun, recorded},
    server::Arrival,
    upgrade::Upgrade,
    waiting::{wait_of, waited},
    withdrawn::until_withdrawn,
};

const PREFIX: &str = "/via/";
/// The least characters of a pair with a token, in Base64.
const MIN_PAIR: usize = 48;
/// So many headers are searched for Relink's token.
const MAX_SEARCHED: usize = 64;

pub(crate) fn routes() -> Routes {
    Routes::new().with(Permission::MakeCalls, routes!(root)).with(Permission::MakeCalls, routes!(below))
}

/// Whether this is the path of a call.
pub(crate) fn is_below(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Finds Relink's token wherever a provider's SDK puts its credential, and takes every one out of the request.
pub(crate) fn authenticate<C>(request: &mut Request, known: impl Fn(&str) -> Option<C>) -> Result<Option<C>, ApiError> {
    let caller = take_tokens(request.headers_mut(), &known);
    // What names the account isn't sent.
    let (_, path) = split(request.uri().path());
    let sent = [Some(path), request.uri().query()];
    if caller.is_some() && sent.into_iter().flatten().any(|text| has_token(text, &known)) {
        let message = "The URL contains a token of Relink's, which would go to the provider. Put it into a header.";
        return Err(ApiError::bad_request("token_in_url", message));
    }
    Ok(caller)
}

/// The caller whose token is in the headers, without every header that has a token of Relink's.
fn take_tokens<C>(headers: &mut HeaderMap, known: impl Fn(&str) -> Option<C>) -> Option<C> {
    let (caller, with_token) = find_tokens(headers, known);
    for name in with_token {
        headers.remove(name);
    }
    caller
}

/// The caller, and all headers with a token of Relink's: in `Authorization`, which counts first, as Bearer or `token`, or in any
/// other header as its whole value, with or without a scheme before it. In Basic it is the password or the user name.
fn find_tokens<C>(headers: &HeaderMap, known: impl Fn(&str) -> Option<C>) -> (Option<C>, Vec<HeaderName>) {
    let (mut caller, mut with_token) = (None, Vec::new());
    let authorization = headers.iter().filter(|(name, _)| *name == header::AUTHORIZATION);
    let others = headers.iter().filter(|(name, _)| *name != header::AUTHORIZATION);
    for (name, value) in authorization.chain(others).take(MAX_SEARCHED) {
        let found = value.to_str().ok().and_then(|text| caller_in(text, &known));
        if let Some(found) = found {
            caller.get_or_insert(found);
            with_token.push(name.clone());
        }
    }
    (caller, with_token)
}

fn caller_in<C>(text: &str, known: &impl Fn(&str) -> Option<C>) -> Option<C> {
    let credential = text.rsplit(' ').next().unwrap_or_default();
    known(credential).or_else(|| {
        if credential.len() < MIN_PAIR {
            return None;
        }
        let pair = String::from_utf8(BASE64_STANDARD.decode(credential).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        known(password).or_else(|| known(user))
    })
}

/// Whether a token of Relink's is in a path or a query.
fn has_token<C>(text: &str, known: impl Fn(&str) -> Option<C>) -> bool {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.split(|c| !is_of_token(c)).any(|word| known(word).is_some())
}

/// Call the provider's API at its base URL
///
/// The same as the route below it, with an empty path.
#[utoipa::path(
    method(get, head, post, put, patch, delete, options),
    path = "/via/{account}",
    operation_id = "call_base_url",
    tag = "Calls",
    params(("account" = String, Path, description = "The account's id, or its name.")),
    responses((status = "default", description = "The provider's response."), PassThroughErrors),
)]
async fn root(State(api): State<ApiState>, request: Request) -> Response {
    routed(&api, request).await
}

/// Call the provider's API
///
/// Path, query, method, headers and body go to the provider as they are, below its base URL, with the account's credential added.
/// The response is the provider's, whatever its status.
///
/// Use `http://127.0.0.1:7417/via/{account}` as the base URL of the provider's SDK, and an API token of Relink's as its token: in
/// `Authorization` (`Bearer`, `token`, or in `Basic`), or in the header that the SDK uses. It is taken out.
#[utoipa::path(
    method(get, head, post, put, patch, delete, options),
    path = "/via/{account}/{*path}",
    operation_id = "call",
    tag = "Calls",
    params(
        ("account" = String, Path, description = "The account's id, or its name."),
        ("path" = String, Path, description = "The path below the provider's base URL."),
    ),
    responses((status = "default", description = "The provider's response."), PassThroughErrors),
)]
async fn below(State(api): State<ApiState>, request: Request) -> Response {
    routed(&api, request).await
}

async fn routed(api: &ApiState, mut request: Request) -> Response {
    let Some(caller) = request.extensions_mut().remove::<Caller>() else {
        return permit::unauthorized(TokenPlace::Header);
    };
    let uri = Arrival::uri_of(&request).clone();
    call(api, &caller, &uri, request).await
}

/// Answers a request to one of the two routes, with any method: a provider may have some that OpenAPI has no word for, such as QUERY or
/// PROPFIND.
///
/// TRACE would answer with the credential that was sent (RFC 9110 §9.3.8), and CONNECT has no path.
pub(crate) async fn answer(api: &ApiState, caller: &Caller, mut request: Request, arrival: &Arrival) -> Response {
    if let Err(refused) = permit::check(caller, Permission::MakeCalls, &request) {
        return refused.into_response();
    }
    if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
        return no_such_method().await.into_response();
    }
    if request.headers().contains_key(header::UPGRADE) {
        request.extensions_mut().insert(arrival.clone());
    }
    call(api, caller, &arrival.uri, request).await
}

/// `uri`: as it was sent.
async fn call(api: &ApiState, caller: &Caller, uri: &Uri, request: Request) -> Response {
    let (prefix, path) = split(uri.path());
    let account = match account_named(api, caller, prefix.get(PREFIX.len()..).unwrap_or_default()).await {
        Ok(account) => account,
        Err(error) => return error.into_response(),
    };
    let begun = Begun { account, route: CallRoute::Via, path, query: uri.query(), called: None };
    recorded(api, caller, begun, request, |request| forward(api, caller, account, uri, request)).await
}

/// Makes a call. The path of its URI, as it was sent, begins with `/via/`.
pub(crate) async fn forward(
    api: &ApiState,
    caller: &Caller,
    id: AccountId,
    uri: &Uri,
    request: Request,
) -> Result<Response, ApiError> {
    let (prefix, path) = split(uri.path());
    let url = || format!("{}{prefix}", api.port.base_url());
    pass(api, caller, id, request, Below { path, query: uri.query(), prefix: &url }).await
}

/// Where a call goes.
pub(crate) struct Below<'a> {
    /// Below the provider's base URL.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// Relink's URL of the account, to which redirects and links within the provider's API lead.
    pub(crate) prefix: AccountUrl<'a>,
}

/// Makes a call that goes as it is.
pub(crate) async fn pass(
    api: &ApiState,
    caller: &Caller,
    id: AccountId,
    request: Request,
    to: Below<'_>,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let (wait, upgrade) = (wait_of(&parts.headers)?, Upgrade::asked_for_by(&mut parts));
    let incoming = Incoming {
        method: parts.method,
        path: to.path,
        query: to.query,
        headers: parts.headers,
        body: body.map_err(Into::into).boxed_unsync(),
        prefix: to.prefix,
    };
    let passed = match wait {
        None => api.calls.pass_through(caller, id, incoming).await,
        Some(at_most) => {
            let passed = api.calls.pass_through_or_wait(caller, id, incoming, at_most);
            Box::pin(waited(api, caller, id, passed)).await?
        }
    };
    let response = passed.map_err(explain)?.map(|body| Body::new(until_withdrawn(api, caller, id, body)));
    Upgrade::join(upgrade, api, caller, id, response)
}

/// The path to the account, and what follows it.
fn split(path: &str) -> (&str, &str) {
    // Any run of leading slashes is one (contract section 0.2).
    let start = path.len() - path.trim_start_matches('/').len();
    let after = start.saturating_sub(1) + PREFIX.len();
    let end = path.get(after..).and_then(|rest| rest.find('/')).map_or(path.len(), |length| after + length);
    (&path[start.saturating_sub(1)..end], &path[end..])
}

/// The account with this id or name, as it is in a path.
async fn account_named(api: &ApiState, caller: &Caller, text: &str) -> Result<AccountId, ApiError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let Ok(text) = percent_decode_str(text).decode_utf8() else {
        return Err(ApiError::bad_request("path_not_utf8", "The account's name must be UTF-8, percent-encoded."));
    };
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let named = Box::pin(api.engine.accounts().named(caller, &text)).await?;
    match named.as_slice() {
        [] => Err(ApiError::not_found(&format!("There is no account with the name or id {text:?}."))),
        [id] => Ok(*id),
        several => {
            let ids: Vec<_> = several.iter().map(ToString::to_string).collect();
            let message =
                format!("{} accounts are named {text:?}. Use the id of one: {}.", several.len(), ids.join(", "));
            Err(ApiError::new(StatusCode::CONFLICT, "ambiguous_account", &message))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

    fn found_in(name: &'static str, value: &str) -> bool {
        let headers = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (name.parse().expect("a name"), HeaderValue::from_str(value).expect("a value")),
        ]);
        let (caller, with_token) = find_tokens(&headers, |text| (text == TOKEN).then_some(()));
        assert_eq!(caller.is_some(), with_token == [name]);
        caller.is_some()
    }

    #[test]
    fn a_token_is_found_where_sdks_put_it() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for (name, value) in [
            ("authorization", format!("Bearer {TOKEN}")),
            ("authorization", format!("token {TOKEN}")),
            ("authorization", TOKEN.to_owned()),
            ("authorization", basic(&format!("user:{TOKEN}"))),
            ("authorization", basic(&format!("{TOKEN}:"))),
            ("x-api-key", TOKEN.to_owned()),
            ("private-token", format!("Key {TOKEN}")),
            ("x-authorization", basic(&format!("me:{TOKEN}"))),
            ("x-authorization", basic(&format!(":{TOKEN}")).replace(' ', "  ")),
            ("x-auth", BASE64_STANDARD.encode(format!("me:{TOKEN}"))),
        ] {
            assert!(found_in(name, &value), "{name}: {value}");
        }
        for (name, value) in [
            ("authorization", format!("Bearer {TOKEN}x")),
            ("authorization", "Bearer".to_owned()),
            ("authorization", "Basic !!!".to_owned()),
            ("authorization", basic("no colon")),
            ("x-api-key", format!("{TOKEN},other")),
        ] {
            assert!(!found_in(name, &value), "{name}: {value}");
        }
    }

    #[test]
    fn no_header_with_a_token_goes_on() {
        let value = |text: String| HeaderValue::from_str(&text).expect("a value");
        let mut headers = HeaderMap::from_iter([
            (HeaderName::from_static("x-api-key"), value(TOKEN.to_owned())),
            (header::AUTHORIZATION, value(format!("Bearer {TOKEN}"))),
            (header::ACCEPT, value("text/plain".to_owned())),
        ]);
        assert!(take_tokens(&mut headers, |text| (text == TOKEN).then_some(())).is_some());
        assert_eq!(headers.keys().collect::<Vec<_>>(), [header::ACCEPT]);
    }

    #[test]
    fn a_token_in_a_url_is_noticed() {
        let known = |text: &str| (text == TOKEN).then_some(());
        assert!(has_token(&format!("/via/a/x?key={TOKEN}&y=1"), known));
        assert!(has_token(&format!("/via/a/{TOKEN}/x"), known));
        assert!(!has_token(&format!("/via/a/x?key={TOKEN}x"), known));
        assert!(!has_token("/via/a/x?key=short", known));
    }

    #[test]
    fn what_follows_the_account_is_not_changed() {
        for (path, prefix, rest) in [
            ("/via/acme", "/via/acme", ""),
            ("/via/acme/", "/via/acme", "/"),
            ("/via/acme/v1/users/", "/via/acme", "/v1/users/"),
            ("///via/acme//a%2Fb", "/via/acme", "//a%2Fb"),
            ("/via/My%20Account/x", "/via/My%20Account", "/x"),
        ] {
            assert_eq!(split(path), (prefix, rest), "{path}");
        }
    }
}
