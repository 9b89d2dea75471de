//! The probe: a call that is permitted to any working credential. It shows whether a credential works, and its
//! identity.

use relink_domain::{
    Timestamp,
    account::Identity,
    failure::{Cause, Failure, NeededScopes, ProviderError},
    integration::{IdentityProbe, IdentitySource, JsonPath, Kept, ProbeOutcome, ProbeResponse},
    provider_text::HIDDEN,
};
use serde_json::{Map, Value};

use super::{BoundProvider, CallCredentials, said::Answer};
use crate::{error::Result, oauth, outbound::Outbound};

#[derive(Debug)]
pub(crate) enum ProbeResult {
    /// The credential works. The identity is known if the integration defines how to find it.
    Works(Option<Found>),
    /// The credential was refused: with 401, or with an error that the definition says means the same.
    Unauthorized { status: u16, said: ProviderError },
    /// 403, what the provider said, and the scopes that it says the call needs.
    Forbidden { said: ProviderError, needed: NeededScopes },
    /// The network or the provider failed, or the response lacks what the definition names.
    Inconclusive(Failure),
    /// The integration defines no probe.
    NoProbe,
}

/// Who is signed in.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    /// What the definition keeps of the document with the identity, for the account's context.
    pub(crate) kept: Map<String, Value>,
}

/// Makes the integration's probe call and determines the identity. `id_token`: the claims of a
/// verified id token, if the sign-in returned one.
pub(crate) async fn probe(
    outbound: &Outbound,
    provider: &BoundProvider,
    credentials: &CallCredentials<'_>,
    id_token: Option<&Value>,
    now: Timestamp,
) -> Result<ProbeResult> {
    let definition = &provider.definition;
    let Some(probe) = definition.probe() else {
        let found = definition.identity().zip(id_token).and_then(|(probe, claims)| {
            let identity = identity_from(probe, claims, credentials)?;
            Some(Found { identity, kept: kept_from(definition.kept_from_identity(), claims, credentials) })
        });
        return Ok(found.map_or(ProbeResult::NoProbe, |found| ProbeResult::Works(Some(found))));
    };
    let request = provider.call(&probe.url, &probe.headers, &probe.without, credentials)?;
    let url = request.url().clone();
    let response = match outbound.send(request, provider.consent()).await {
        Ok(response) => response,
        Err(failed) => return Ok(ProbeResult::Inconclusive(failed.failure)),
    };
    let answer = Answer::read(&response, &url, provider, credentials);
    let judged = ProbeResponse {
        status: answer.status,
        json: answer.json.as_ref(),
        is_html: answer.is_html,
        said: &answer.said,
    };
    if definition.refresh().expired_when.iter().any(|sign| sign.matches(answer.status, &response.body)) {
        return Ok(ProbeResult::Unauthorized { status: answer.status, said: answer.said });
    }
    match probe.judge(&judged, &definition.refresh().terminal_errors) {
        ProbeOutcome::Success => {}
        ProbeOutcome::Refused => return Ok(ProbeResult::Unauthorized { status: answer.status, said: answer.said }),
        ProbeOutcome::Forbidden => {
            let needed = oauth::needed_scopes(&response.headers);
            return Ok(ProbeResult::Forbidden { said: answer.said, needed });
        }
        ProbeOutcome::WebPage => return Ok(inconclusive(Cause::NotJson, &answer)),
        ProbeOutcome::ErrorInResponse => return Ok(inconclusive(Cause::ErrorInResponse, &answer)),
        ProbeOutcome::OtherStatus => {
            return Ok(ProbeResult::Inconclusive(failure_from(&answer, response.retry_after_secs(now))));
        }
    }
    let Some(identity) = definition.identity() else { return Ok(ProbeResult::Works(None)) };
    let body = match &identity.source {
        // A check has no ID token, so it can't tell who is signed in.
        IdentitySource::IdToken if id_token.is_none() => return Ok(ProbeResult::Works(None)),
        IdentitySource::IdToken => id_token.cloned(),
        IdentitySource::Probe => answer.json.clone(),
        IdentitySource::Call(url) => {
            let request = provider.call(url, &[], &[], credentials)?;
            let url = request.url().clone();
            match outbound.send(request, provider.consent()).await {
                Ok(response) if response.status.is_success() => {
                    Answer::read(&response, &url, provider, credentials).json
                }
                Ok(response) => {
                    let answer = Answer::read(&response, &url, provider, credentials);
                    return Ok(ProbeResult::Inconclusive(failure_from(&answer, response.retry_after_secs(now))));
                }
                Err(failed) => return Ok(ProbeResult::Inconclusive(failed.failure)),
            }
        }
    };
    let found = body.and_then(|body| {
        let kept = kept_from(definition.kept_from_identity(), &body, credentials);
        Some(Found { identity: identity_from(identity, &body, credentials)?, kept })
    });
    Ok(match found {
        Some(found) => ProbeResult::Works(Some(found)),
        None => inconclusive(Cause::IdentityMissing, &answer),
    })
}

fn inconclusive(cause: Cause, answer: &Answer) -> ProbeResult {
    ProbeResult::Inconclusive(Failure::new(cause).status(answer.status).said(&answer.said))
}

const MAX_IDENTITY_ID_CHARS: usize = 512;
const MAX_IDENTITY_LABEL_CHARS: usize = 200;

/// The identity in a response. It is stored and shown, so an ID that repeats a secret or is too long is none, and the ID
/// replaces a label that repeats a secret.
fn identity_from(probe: &IdentityProbe, body: &Value, credentials: &CallCredentials<'_>) -> Option<Identity> {
    let Identity { id, label } = probe.read(body)?;
    let filter = credentials.filter();
    if id.chars().nth(MAX_IDENTITY_ID_CHARS).is_some() || filter.finds(&id) {
        return None;
    }
    let cleaned = |text: &str| filter.clean(text, MAX_IDENTITY_LABEL_CHARS);
    let label = Some(cleaned(&label)).filter(|label| !label.is_empty() && !label.contains(HIDDEN));
    let label = label.unwrap_or_else(|| cleaned(&id));
    Some(Identity { id, label })
}

/// The values that the definition keeps. One that repeats a secret isn't kept.
fn kept_from(paths: &[Kept<JsonPath>], body: &Value, credentials: &CallCredentials<'_>) -> Map<String, Value> {
    let filter = credentials.filter();
    let is_kept =
        |value: &&Value| Kept::<JsonPath>::fits(value) && !value.as_str().is_some_and(|text| filter.finds(text));
    let found = paths.iter().filter_map(|kept| {
        let value = kept.path.find(body).filter(is_kept)?;
        Some((kept.name.clone(), value.clone()))
    });
    found.collect()
}

fn failure_from(answer: &Answer, retry_after_secs: Option<u32>) -> Failure {
    let cause = match answer.status {
        429 => Cause::RateLimited,
        408 | 500..=599 => Cause::ServerError,
        _ => Cause::UnknownRefusal,
    };
    Failure { retry_after_secs, ..Failure::new(cause).status(answer.status).said(&answer.words()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use relink_domain::{Secret, account::AuthenticationMethod, provider_text::KnownSecrets};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_of_the_identity_is_a_short_value_without_a_secret() {
        let path = |text| JsonPath::parse(text).expect("a path");
        let kept = ["site", "key", "all", "none"].map(|name| Kept { name: name.to_owned(), path: path(name) });
        let (fields, access) = (BTreeMap::new(), Secret::new("access-token-0001"));
        let credentials = CallCredentials {
            method: AuthenticationMethod::Oauth2,
            access_token: Some(&access),
            of_refresh: None,
            fields: &fields,
            variables: &BTreeMap::new(),
            context: &Map::new(),
            tenant_id: None,
            known: &KnownSecrets::default(),
        };
        let body = json!({"site": "c1de", "key": "access-token-0001", "all": {"site": "c1de"}});
        assert_eq!(Value::Object(kept_from(&kept, &body, &credentials)), json!({"site": "c1de"}));
    }

    #[test]
    fn an_identity_is_bounded_and_repeats_no_secret() {
        let path = |text| JsonPath::parse(text).expect("a path");
        let probe = IdentityProbe { source: IdentitySource::Probe, id: path("id"), label: vec![path("name")] };
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new("sk-1"))]);
        let access = Secret::new("at-1");
        let known = KnownSecrets::default().and(&[Secret::new("canary-client-secret-0001")]);
        let credentials = CallCredentials {
            method: AuthenticationMethod::ApiKey,
            access_token: Some(&access),
            of_refresh: None,
            fields: &fields,
            variables: &BTreeMap::new(),
            context: &Map::new(),
            tenant_id: None,
            known: &known,
        };
        let long = "n".repeat(900_000);
        for (body, identity) in [
            (json!({"id": "7", "name": "Ada"}), Some(("7", "Ada"))),
            (json!({"id": 7, "name": " Ada\u{202e}\n\u{1b}[31mLovelace "}), Some(("7", "Ada Lovelace"))),
            (json!({"id": "7", "name": long}), Some(("7", &long[..200]))),
            (json!({"id": "7", "name": "key sk-1"}), Some(("7", "7"))),
            (json!({"id": "7", "name": "Y2FuYXJ5LWNsaWVudC1zZWNyZXQtMDAwMQ=="}), Some(("7", "7"))),
            (json!({"id": "7", "name": "\u{200b}"}), Some(("7", "7"))),
            (json!({"id": "i".repeat(512), "name": "x"}), Some((&*"i".repeat(512), "x"))),
            (json!({"id": "i".repeat(513), "name": "x"}), None),
            (json!({"id": "sk-1"}), None),
            (json!({"id": "at-1", "name": "Ada"}), None),
            (json!({"id": "canary-client-secret-0001", "name": "Ada"}), None),
        ] {
            let found = identity_from(&probe, &body, &credentials);
            let found = found.as_ref().map(|identity| (identity.id.as_str(), identity.label.as_str()));
            assert_eq!(found, identity, "{:.80}", body.to_string());
        }
        let unknown = known.clone().incomplete();
        let locked = CallCredentials { known: &unknown, ..credentials };
        assert_eq!(identity_from(&probe, &json!({"id": "7", "name": "Ada"}), &locked), None);
    }
}
