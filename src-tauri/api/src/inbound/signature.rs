//! Whether a request is the provider's.

use axum::http::{HeaderMap, header};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use relink_domain::{
    Secret, Timestamp,
    hex::hex,
    integration::{HmacAlgorithm, HmacCheck, JwtCheck, RequestText, SignatureCheck},
    template::TextTemplate,
    webhook::SignatureFormat,
};
use relink_engine::WebhookReceiver;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

/// How far a signed time may be from now, in seconds, as Standard Webhooks' own libraries have it.
const MAX_SIGNED_AGE_SECS: i64 = 5 * 60;
/// How far the provider's clock may be from this one, in seconds (RFC 7519 §4.1.4).
const LEEWAY_SECS: i64 = 60;
/// The longest token that is read, in bytes.
const MAX_JWT: usize = 16 << 10;
/// The prefixes of the headers of a Svix signature: Svix's own, and Standard Webhooks'.
const SVIX: [&str; 2] = ["svix", "webhook"];

/// Whether there is something to compare.
pub(super) fn is_present(check: &SignatureCheck, headers: &HeaderMap) -> bool {
    let has = |text: &RequestText| match text {
        RequestText::Header(name) => headers.contains_key(name),
        RequestText::Body | RequestText::Template(_) => true,
    };
    match check {
        SignatureCheck::Hmac(check) => has(&check.compare_with),
        SignatureCheck::Jwt(check) => has(&check.token),
        SignatureCheck::Basic { .. } | SignatureCheck::Bearer(_) => headers.contains_key(header::AUTHORIZATION),
        SignatureCheck::Clerk(_) => SVIX.iter().any(|prefix| headers.contains_key(format!("{prefix}-signature"))),
        SignatureCheck::Unknown => false,
    }
}

/// Compares in constant time. A secret that is empty or that isn't stored matches nothing.
pub(super) fn is_valid(
    check: &SignatureCheck,
    receiver: &WebhookReceiver,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> bool {
    let request = Received { receiver, headers, body, now };
    let valid = match check {
        SignatureCheck::Hmac(check) => request.has_hmac(check),
        SignatureCheck::Basic { username, password } => request.has_basic(username, password),
        SignatureCheck::Bearer(token) => request.has_bearer(token),
        SignatureCheck::Jwt(check) => request.has_jwt(check),
        SignatureCheck::Clerk(secret) => SVIX.iter().find_map(|prefix| request.has_svix(secret, prefix)),
        SignatureCheck::Unknown => None,
    };
    valid.unwrap_or(false)
}

struct Received<'r> {
    receiver: &'r WebhookReceiver,
    headers: &'r HeaderMap,
    body: &'r [u8],
    now: Timestamp,
}

impl Received<'_> {
    fn filled(&self, template: &TextTemplate) -> Option<Secret> {
        self.receiver.fill_secret(template)
    }

    /// The bytes of a part of the request.
    fn part(&self, text: &RequestText) -> Option<Vec<u8>> {
        match text {
            RequestText::Body => Some(self.body.to_vec()),
            RequestText::Header(name) => Some(self.headers.get(name)?.as_bytes().to_vec()),
            RequestText::Template(template) => Some(self.filled(template)?.expose().as_bytes().to_vec()),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn has_hmac(&self, check: &HmacCheck) -> Option<bool> {
        let secret = self.filled(&check.secret)?;
        let mut signed = Vec::new();
        for part in &check.parts {
            signed.extend(self.part(part)?);
        }
        let mac = mac(check.algorithm, secret.expose().as_bytes(), &signed)?;
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
        let (given, credentials) = self.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
    }

    /// A token that says another algorithm than the definition is refused: it would choose how it is checked (RFC 8725 §3.1).
    fn has_jwt(&self, check: &JwtCheck) -> Option<bool> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            /// Extensions that must be understood (RFC 7515 §4.1.11); none is.
            crit: Option<serde::de::IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Claims {
            exp: Option<f64>,
            nbf: Option<f64>,
        }
        let text = String::from_utf8(self.part(&check.token)?).ok()?;
        // Behind a scheme: `Bearer …`, `JWT …`.
        let token = text.split_whitespace().next_back().filter(|token| token.len() <= MAX_JWT)?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let secret = self.filled(&check.secret)?;
        let mac = mac(check.algorithm, secret.expose().as_bytes(), signed.as_bytes())?;
        if !same(&BASE64_URL_SAFE_NO_PAD.encode(&mac), signature) {
            return Some(false);
        }
        let header: Header = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let claims: Claims = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit")]
        let now = self.now.as_millis() as f64 / 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "it is a minute")]
        let leeway = LEEWAY_SECS as f64;
        let is_in_time =
            claims.exp.is_none_or(|exp| now < exp + leeway) && claims.nbf.is_none_or(|nbf| nbf - leeway <= now);
        Some(header.alg == jwt_name(check.algorithm)? && header.crit.is_none() && is_in_time)
    }

    /// `v1,{base64}` over the id, the time and the body; several stand with spaces between them (Standard Webhooks).
    fn has_svix(&self, secret: &TextTemplate, prefix: &str) -> Option<bool> {
        let header = |name: &str| self.header(&format!("{prefix}-{name}"));
        let (id, time, signatures) = (header("id")?, header("timestamp")?, header("signature")?);
        let secret = self.filled(secret)?;
        let key = secret.expose().strip_prefix("whsec_").unwrap_or(secret.expose());
        let key = zeroize::Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
        let age = self.now.as_millis() / 1000 - time.parse::<i64>().ok()?;
        if age.abs() > MAX_SIGNED_AGE_SECS || key.is_empty() {
            return Some(false);
        }
        let signed = [format!("{id}.{time}.").as_bytes(), self.body].concat();
        let expected = BASE64_STANDARD.encode(mac(HmacAlgorithm::Sha256, &key, &signed)?);
        let given = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
        Some(given.fold(false, |found, given| found | same(&expected, given)))
    }
}

/// The algorithm's name in a token (RFC 7518 §3.2).
const fn jwt_name(algorithm: HmacAlgorithm) -> Option<&'static str> {
    match algorithm {
        HmacAlgorithm::Sha1 => None,
        HmacAlgorithm::Sha256 => Some("HS256"),
        HmacAlgorithm::Sha384 => Some("HS384"),
        HmacAlgorithm::Sha512 => Some("HS512"),
    }
}

fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn mac(algorithm: HmacAlgorithm, secret: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        HmacAlgorithm::Sha1 => mac_with::<Hmac<Sha1>>(secret, signed),
        HmacAlgorithm::Sha256 => mac_with::<Hmac<Sha256>>(secret, signed),
        HmacAlgorithm::Sha384 => mac_with::<Hmac<Sha384>>(secret, signed),
        HmacAlgorithm::Sha512 => mac_with::<Hmac<Sha512>>(secret, signed),
    }
}

fn mac_with<M: Mac + KeyInit>(secret: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(signed);
    Some(mac.finalize().into_bytes().to_vec())
}
