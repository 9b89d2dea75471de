//! Token endpoint responses. The `oauth2` crate parses each once, as a [`TokenAnswer`].

use std::time::Duration;

use oauth2::{
    AccessToken, ErrorResponse, RefreshToken, RequestTokenError, Scope, TokenResponse, basic::BasicTokenType,
};
use relink_domain::{
    Secret, Timestamp,
    failure::{Cause, Failure},
    integration::{AnswerPaths, JsonPath, Kept, is_credential_name},
    provider_text::SecretFilter,
    schedule::TokenLifetime,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Endpoint, Tokens, lifetime, received::Received};
use crate::outbound::RequestFailed;

/// Servers accept much shorter headers.
const MAX_TOKEN_CHARS: usize = 32 * 1024;
const MAX_SCOPES: usize = 500;
const MAX_SCOPE_CHARS: usize = 300;

/// A token endpoint's JSON response: a success or an error, whatever its status.
///
/// Known deviations of providers: errors with status 200; `expires_in` as a string; `scope` as a list; no `token_type`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct TokenAnswer {
    /// Empty if the response has none.
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    /// Defined by OpenID Connect.
    id_token: Option<Secret>,
    scopes: Option<Vec<Scope>>,
    rest: Rest,
    /// Its other credentials, at its top or deeper.
    deeper: Vec<Secret>,
}

/// The fields that are no tokens. They may repeat a secret, so they are not printed.
struct Rest(Value);

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rest")
    }
}

impl TokenAnswer {
    /// The response's tokens.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let refresh = self.refresh_token.iter().map(RefreshToken::secret);
        let texts = refresh.chain([self.access_token.secret()]);
        let texts = texts.map(|text| Secret::new(text.as_str()));
        texts.chain(self.id_token.clone()).chain(self.deeper.iter().cloned()).collect()
    }

    /// Whether the tokens consist of what RFC 6749 allows (appendices A.12 and A.17) and aren't too long.
    fn is_well_formed(&self) -> bool {
        is_token(self.access_token.secret()) && self.refresh_token.iter().all(|token| is_token(token.secret()))
    }

    /// The response without the tokens at its top.
    pub(super) const fn rest(&self) -> &Value {
        &self.rest.0
    }

    /// The same answer, with what stands where the definition says, in place of what stands at its top. The lifetime is read
    /// from the object that is returned beside it.
    fn at(mut self, paths: &AnswerPaths, may_be_at_top: bool) -> (Self, Value) {
        let rest = std::mem::replace(&mut self.rest, Rest(Value::Null)).0;
        let mut beside = rest.clone();
        if let Some(path) = &paths.token {
            let text = |value: &Value, name: &str| {
                value.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
            };
            let token = path.find(&rest).and_then(Value::as_str).filter(|token| !token.is_empty());
            if let (Some(token), Some(parent)) = (token, path.find_parent(&rest)) {
                self.deeper.push(Secret::new(token));
                self.access_token = AccessToken::new(token.to_owned());
                if let Some(refresh) = text(parent, "refresh_token") {
                    self.refresh_token = Some(RefreshToken::new(refresh));
                } else if *parent != rest {
                    // The one at the top belongs to another token.
                    self.refresh_token = None;
                }
                self.id_token = text(parent, "id_token").map(Secret::new).or(self.id_token);
                self.scopes = parent.get("scope").and_then(scopes);
                beside = parent.clone();
            } else if !may_be_at_top {
                self.access_token = AccessToken::new(String::new());
            }
        }
        if let Some(found) = paths.scope.as_ref().and_then(|path| path.find(&rest)) {
            self.scopes = scopes(found);
        }
        self.rest = Rest(rest);
        (self, beside)
    }

    /// The values that the definition keeps. One that repeats a secret isn't kept.
    fn kept(&self, paths: &AnswerPaths, filter: &SecretFilter) -> Map<String, Value> {
        let is_kept =
            |value: &&Value| Kept::<JsonPath>::fits(value) && !value.as_str().is_some_and(|text| filter.finds(text));
        let found = paths.keep.iter().filter_map(|kept| {
            let value = kept.path.find(self.rest()).filter(is_kept)?;
            Some((kept.name.clone(), value.clone()))
        });
        found.collect()
    }
}

/// Whether a text is a token as RFC 6749 allows it (appendices A.12 and A.17), and isn't too long.
pub(super) fn is_token(text: &str) -> bool {
    text.len() <= MAX_TOKEN_CHARS && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

impl TryFrom<Value> for TokenAnswer {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let Value::Object(mut fields) = value else { return Err("not a JSON object") };
        let scopes = fields.get("scope").and_then(scopes);
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let is_given = |token: &String| !token.is_empty();
        Ok(Self {
            access_token: AccessToken::new(text("access_token").unwrap_or_default()),
            refresh_token: text("refresh_token").filter(is_given).map(RefreshToken::new),
            id_token: text("id_token").filter(is_given).map(Secret::new),
            scopes,
            deeper: fields.iter().flat_map(|(name, value)| credentials_in(name, value, &is_credential_name)).collect(),
            rest: Rest(Value::Object(fields)),
        })
    }
}

/// The texts below a field that stand under a name of a credential, anywhere in it. `is_credential`: whether a name is one.
pub(crate) fn credentials_in(name: &str, value: &Value, is_credential: &dyn Fn(&str) -> bool) -> Vec<Secret> {
    match value {
        Value::String(text) if is_credential(name) => vec![Secret::new(text.as_str())],
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| credentials_in(name, value, is_credential)).collect()
        }
        // An entry of a list is what the list is called.
        Value::Array(items) => items.iter().flat_map(|item| credentials_in(name, item, is_credential)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Required by the `oauth2` crate. Writes no token.
impl Serialize for TokenAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    /// See [`lifetime::expiry`].
    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

/// Scopes separated by spaces, by commas (GitHub), or as a list.
fn scopes(value: &Value) -> Option<Vec<Scope>> {
    let text = match value {
        Value::Array(scopes) => scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::String(scopes) => scopes.replace(',', " "),
        _ => return None,
    };
    // A blank scope counts as absent (RFC 6749 §3.3).
    let scopes: Vec<_> = text.split_whitespace().map(|scope| Scope::new(scope.to_owned())).collect();
    (!scopes.is_empty()).then_some(scopes)
}

/// The scopes that can be kept: a scope that isn't one (RFC 6749 §3.3) or that repeats a secret is left out.
fn kept_scopes(scopes: &[Scope], filter: &SecretFilter) -> Vec<String> {
    let is_scope = |scope: &&str| {
        scope.len() <= MAX_SCOPE_CHARS
            && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            && !filter.finds(scope)
    };
    scopes.iter().map(|scope| scope.as_str()).filter(is_scope).take(MAX_SCOPES).map(str::to_owned).collect()
}

impl Endpoint {
    /// The tokens in a response, or the failure that it reports.
    ///
    /// Known cases: a web page with status 200 from a network that requires a sign-in; truncated JSON.
    pub(super) fn tokens<E: ErrorResponse>(
        &self,
        answer: Result<TokenAnswer, RequestTokenError<RequestFailed, E>>,
        received: Option<Received>,
        now: Timestamp,
    ) -> Result<Tokens, Failure> {
        let Some(received) = received else {
            return Err(match answer {
                Err(RequestTokenError::Request(RequestFailed { failure })) => failure,
                _ => Failure::new(Cause::Garbled),
            });
        };
        let is_success = received.status.is_success();
        let mut beside = Value::Null;
        let answer = answer.map(|answer| {
            let (answer, found) = answer.at(&self.answer, self.may_answer_at_top);
            beside = found;
            answer
        });
        let answer = match answer {
            Ok(answer) if is_success && !answer.access_token.secret().is_empty() => answer,
            // Truncated JSON: the response was cut off in transit, unlike a web page in its place.
            Err(RequestTokenError::Parse(error, _)) if error.inner().is_eof() && is_success => {
                return Err(Failure::new(Cause::Garbled).status(received.status.as_u16()));
            }
            other => return Err(received.failure(other.ok().as_ref(), self.error_code_path.as_ref(), &self.own_codes)),
        };
        if !answer.is_well_formed() {
            return Err(Failure::new(Cause::MalformedToken).status(received.status.as_u16()));
        }
        let filter = received.filter(Some(&answer));
        let kept = |scopes| kept_scopes(scopes, &filter);
        let scopes = answer.scopes.as_deref().map(kept).filter(|kept| !kept.is_empty());
        let kept = answer.kept(&self.answer, &filter);
        let expires_at = lifetime::expiry(&beside, answer.access_token.secret(), now)
            .or_else(|| Some(now.plus_secs(self.default_expires_in?.into())));
        let lifetime = TokenLifetime::new(now, expires_at);
        Ok(Tokens {
            access: Secret::new(answer.access_token.into_secret()),
            refresh: answer.refresh_token.map(|token| Secret::new(token.into_secret())),
            id: answer.id_token,
            lifetime: TokenLifetime { is_refreshed_daily: self.is_refreshed_daily, ..lifetime },
            scopes,
            kept,
        })
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
