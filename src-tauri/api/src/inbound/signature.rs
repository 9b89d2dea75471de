//! Whether a request is the provider's.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relink_domain::{
    Secret,
    hex::hex,
    integration::{HmacAlgorithm, HmacCheck, RequestText, SignatureCheck},
    template::{Root, TextTemplate},
    webhook::SignatureFormat,
};
use relink_engine::PreparedAccount;
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// Whether there is something to compare.
pub(super) fn is_present(check: &SignatureCheck, headers: &HeaderMap) -> bool {
    match check {
        SignatureCheck::Hmac(HmacCheck { compare_with: RequestText::Header(name), .. }) => headers.contains_key(name),
        SignatureCheck::Hmac(_) => true,
        SignatureCheck::Basic { .. } | SignatureCheck::Bearer(_) => headers.contains_key(header::AUTHORIZATION),
        SignatureCheck::Unknown => false,
    }
}

/// Compares in constant time. A secret that is empty or that the account lacks matches nothing.
pub(super) fn is_valid(check: &SignatureCheck, account: &PreparedAccount, headers: &HeaderMap, body: &[u8]) -> bool {
    let request = Received { account, headers, body };
    let valid = match check {
        SignatureCheck::Hmac(check) => request.has_hmac(check),
        SignatureCheck::Basic { username, password } => request.has_basic(username, password),
        SignatureCheck::Bearer(token) => request.has_bearer(token),
        SignatureCheck::Unknown => None,
    };
    valid.unwrap_or(false)
}

struct Received<'r> {
    account: &'r PreparedAccount,
    headers: &'r HeaderMap,
    body: &'r [u8],
}

impl Received<'_> {
    fn filled(&self, template: &TextTemplate) -> Option<Secret> {
        let variables = self.account.definition().section("environment_variables").and_then(Value::as_object);
        let roots: Vec<_> = variables.map(|it| ("environment_variables", Root::Object(it))).into_iter().collect();
        self.account.fill_secret(template, &roots).ok().flatten().filter(|secret| !secret.expose().is_empty())
    }

    /// The bytes of a part of the request.
    fn part(&self, text: &RequestText) -> Option<Vec<u8>> {
        match text {
            RequestText::Body => Some(self.body.to_vec()),
            RequestText::Header(name) => Some(self.headers.get(name)?.as_bytes().to_vec()),
            RequestText::Template(template) => Some(self.filled(template)?.expose().as_bytes().to_vec()),
        }
    }

    fn has_hmac(&self, check: &HmacCheck) -> Option<bool> {
        let secret = self.filled(&check.secret)?;
        let mut signed = Vec::new();
        for part in &check.parts {
            signed.extend(self.part(part)?);
        }
        let mac = match check.algorithm {
            HmacAlgorithm::Sha256 => mac::<Hmac<Sha256>>(&secret, &signed),
            HmacAlgorithm::Sha384 => mac::<Hmac<Sha384>>(&secret, &signed),
            HmacAlgorithm::Sha512 => mac::<Hmac<Sha512>>(&secret, &signed),
        }?;
        let given = String::from_utf8(self.part(&check.compare_with)?).ok()?;
        let given = given.trim();
        // Many providers write the scheme before it: `sha256=…`, `v0=…`.
        let candidates = [Some(given), given.split_once('=').map(|(_, rest)| rest)];
        Some(candidates.into_iter().flatten().any(|given| match check.string_type {
            SignatureFormat::Hex => same(&hex(&mac), &given.to_ascii_lowercase()),
            SignatureFormat::Base64 => same(&BASE64_STANDARD.encode(&mac), given),
        }))
    }

    fn has_basic(&self, username: &TextTemplate, password: &TextTemplate) -> Option<bool> {
        let (username, password) = (self.filled(username)?, self.filled(password)?);
        let expected = BASE64_STANDARD.encode(format!("{}:{}", username.expose(), password.expose()));
        Some(same(&expected, self.credentials("basic")?))
    }

    fn has_bearer(&self, token: &TextTemplate) -> Option<bool> {
        Some(same(self.filled(token)?.expose(), self.credentials("bearer")?))
    }

    /// What follows the scheme in `Authorization` (RFC 9110 §11.4).
    fn credentials(&self, scheme: &str) -> Option<&str> {
        let (given, credentials) = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
    }
}

fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn mac<M: Mac + KeyInit>(secret: &Secret, signed: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(signed);
    Some(mac.finalize().into_bytes().to_vec())
}
