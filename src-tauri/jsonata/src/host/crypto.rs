//! Digests, signatures and random numbers for `crypto` and `$digest`, `$sign`, `$uuid`.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair};
use rquickjs::{Ctx, Exception, Object, Result, TypedArray};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{add, bytes_from, bytes_to};

/// The most that one call of `getRandomValues` may ask for (Web Cryptography API §10.1.1).
const MAX_RANDOM_BYTES: usize = 65_536;

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    add(ctx, host, "digest", digest)?;
    add(ctx, host, "hmac", hmac)?;
    add(ctx, host, "rsaKeyProblem", rsa_key_problem)?;
    add(ctx, host, "rsaSign", rsa_sign)?;
    add(ctx, host, "randomBytes", random_bytes)?;
    add(ctx, host, "randomUuid", || uuid::Uuid::new_v4().to_string())
}

/// Nothing for an algorithm that isn't known; names are as in the Web Cryptography API, plus MD5.
#[allow(clippy::needless_pass_by_value)]
fn digest<'js>(ctx: Ctx<'js>, algorithm: String, data: String) -> Result<Option<TypedArray<'js, u8>>> {
    let data = bytes_from(&ctx, &data)?;
    let digest = match algorithm.as_str() {
        "MD5" => Md5::digest(data).to_vec(),
        "SHA-1" => Sha1::digest(data).to_vec(),
        "SHA-256" => Sha256::digest(data).to_vec(),
        "SHA-384" => Sha384::digest(data).to_vec(),
        "SHA-512" => Sha512::digest(data).to_vec(),
        _ => return Ok(None),
    };
    bytes_to(&ctx, &digest).map(Some)
}

#[allow(clippy::needless_pass_by_value)]
fn hmac<'js>(ctx: Ctx<'js>, algorithm: String, key: String, data: String) -> Result<Option<TypedArray<'js, u8>>> {
    fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
        mac.update(data);
        Some(mac.finalize().into_bytes().to_vec())
    }
    let (key, data) = (bytes_from(&ctx, &key)?, bytes_from(&ctx, &data)?);
    let signature = match algorithm.as_str() {
        "SHA-1" => mac::<Hmac<Sha1>>(&key, &data),
        "SHA-256" => mac::<Hmac<Sha256>>(&key, &data),
        "SHA-384" => mac::<Hmac<Sha384>>(&key, &data),
        "SHA-512" => mac::<Hmac<Sha512>>(&key, &data),
        _ => None,
    };
    signature.map(|signature| bytes_to(&ctx, &signature)).transpose()
}

/// Why a PKCS #8 private key cannot be used; nothing if it can.
#[allow(clippy::needless_pass_by_value)]
fn rsa_key_problem(ctx: Ctx<'_>, key: String) -> Result<Option<String>> {
    Ok(RsaKeyPair::from_pkcs8(&bytes_from(&ctx, &key)?)
        .err()
        .map(|error| format!("Invalid keyData ({error}); RSA keys from 2048 to 4096 bits are supported")))
}

/// Signs as RSASSA-PKCS1-v1_5 (RFC 8017 §8.2) with a PKCS #8 private key.
#[allow(clippy::needless_pass_by_value)]
fn rsa_sign<'js>(ctx: Ctx<'js>, hash: String, key: String, data: String) -> Result<Option<TypedArray<'js, u8>>> {
    let padding: &'static dyn RsaEncoding = match hash.as_str() {
        "SHA-256" => &RSA_PKCS1_SHA256,
        "SHA-384" => &RSA_PKCS1_SHA384,
        "SHA-512" => &RSA_PKCS1_SHA512,
        _ => return Ok(None),
    };
    let failed = |what: &str| Exception::throw_message(&ctx, &format!("the RSA key cannot sign ({what})"));
    let key = RsaKeyPair::from_pkcs8(&bytes_from(&ctx, &key)?).map_err(|error| failed(&error.to_string()))?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &ring::rand::SystemRandom::new(), &bytes_from(&ctx, &data)?, &mut signature)
        .map_err(|_| failed("internal error"))?;
    bytes_to(&ctx, &signature).map(Some)
}

fn random_bytes(ctx: Ctx<'_>, count: usize) -> Result<TypedArray<'_, u8>> {
    let mut bytes = vec![0; count.min(MAX_RANDOM_BYTES)];
    getrandom::fill(&mut bytes).map_err(|error| {
        Exception::throw_message(&ctx, &format!("the operating system gave no random numbers: {error}"))
    })?;
    bytes_to(&ctx, &bytes)
}
