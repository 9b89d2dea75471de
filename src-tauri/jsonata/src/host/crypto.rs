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
fn rsa_key_problem(ctx: Ctx<'_>, key: String) -> Result<Option<String>> {
    Ok(RsaKeyPair::from_pkcs8(&bytes_from(&ctx, &key)?)
        .err()
        .map(|error| format!("Invalid keyData ({error}); RSA keys from 2048 to 4096 bits are supported")))
}

/// Signs as RSASSA-PKCS1-v1_5 (RFC 8017 §8.2) with a PKCS #8 private key.
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

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    /// A PKCS #8 key made for these tests, in Base64.
    const RSA_KEY: &str = include_str!("../../tests/platform/rsa-key.txt");

    fn hexadecimal(call: &str) -> String {
        run(&format!("Array.from({call}, (byte) => byte.toString(16).padStart(2, '0')).join('')")).unwrap()
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        for (algorithm, text, digest) in [
            ("MD5", "", "d41d8cd98f00b204e9800998ecf8427e"),
            ("MD5", "abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("SHA-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("SHA-256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "SHA-384",
                "abc",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                "SHA-512",
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(
                hexadecimal(&format!("__host.digest('{algorithm}', '{text}')")),
                digest,
                "{algorithm} of {text:?}"
            );
        }
        assert_eq!(run::<bool>("__host.digest('SHA-3', 'abc') == null"), Ok(true));
        assert!(run::<bool>(r"__host.digest('MD5', '\u20ac')").is_err());
    }

    #[test]
    fn hmacs_are_those_of_rfc_2202_and_4231() {
        let (key, data) = ("Jefe", "what do ya want for nothing?");
        for (algorithm, signature) in [
            ("SHA-1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            ("SHA-256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                "SHA-384",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                "SHA-512",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            assert_eq!(
                hexadecimal(&format!("__host.hmac('{algorithm}', '{key}', '{data}')")),
                signature,
                "{algorithm}"
            );
        }
        // Longer than a block: the key is hashed first.
        assert_eq!(
            hexadecimal(
                r"__host.hmac('SHA-256', '\xaa'.repeat(131), 'Test Using Larger Than Block-Size Key - Hash Key First')"
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
        assert_eq!(run::<bool>("__host.hmac('MD5', 'key', 'data') == null"), Ok(true));
    }

    #[test]
    fn rsa_signatures_verify() {
        let signature =
            run::<Vec<u8>>(&format!("Array.from(__host.rsaSign('SHA-256', atob('{RSA_KEY}'), 'text'))")).unwrap();
        let key =
            run::<Vec<u8>>(&format!("Array.from(atob('{RSA_KEY}'), (character) => character.charCodeAt(0))")).unwrap();
        let key = RsaKeyPair::from_pkcs8(&key).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref().to_vec());
        assert!(public.verify(b"text", &signature).is_ok());
        assert!(public.verify(b"other", &signature).is_err());
        assert_eq!(run::<bool>(&format!("__host.rsaSign('SHA-1', atob('{RSA_KEY}'), 'text') == null")), Ok(true));
    }

    #[test]
    fn a_bad_rsa_key_is_refused() {
        assert_eq!(run::<bool>(&format!("__host.rsaKeyProblem(atob('{RSA_KEY}')) == null")), Ok(true));
        assert!(run::<String>("__host.rsaKeyProblem('no key')").unwrap().contains("Invalid keyData"));
        assert!(run::<bool>("__host.rsaSign('SHA-256', 'no key', 'text')").unwrap_err().contains("cannot sign"));
    }

    #[test]
    fn random_bytes_have_a_limit() {
        assert_eq!(run::<usize>("__host.randomBytes(32).length"), Ok(32));
        assert_eq!(run::<usize>("__host.randomBytes(1e9).length"), Ok(MAX_RANDOM_BYTES));
        assert_eq!(run::<bool>("__host.randomBytes(32).join() !== __host.randomBytes(32).join()"), Ok(true));
        assert!(run::<usize>("__host.randomBytes(-1).length").is_err());
        assert_eq!(run::<usize>("__host.randomUuid().length"), Ok(36));
    }
}
