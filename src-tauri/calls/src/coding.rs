//! Content codings (RFC 9110 §8.4.1) of what is read of a response. What is passed on stays as it is.

use std::{borrow::Cow, io::Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};

use crate::off_thread::off_thread_if_large;

/// The most that is decoded of a body's beginning: a small body may expand to gigabytes.
const MAX_BEGINNING: u64 = 1 << 20;

/// How much longer JSON is than it was compressed.
const USUAL_EXPANSION: usize = 16;

/// Why a body isn't there as it was before its coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodingError {
    /// With its name.
    Unknown(String),
    /// It isn't what its coding says, or broke off.
    Broken,
    TooLong,
}

/// The coding to ask for, so that an answer can be read here, and by the caller if it is passed on.
pub(crate) fn acceptable(callers: &HeaderMap) -> HeaderValue {
    let is_gzip = |item: &str| {
        let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
        let is_refused = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()) == Some(0.0);
        matches!(coding.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip") && !is_refused
    };
    let mut values = callers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    HeaderValue::from_static(if values.any(|value| value.split(',').any(is_gzip)) { "gzip" } else { "identity" })
}

/// The beginning of a body as it was before its coding, as far as it is there; `None` for a coding that isn't known.
pub(crate) fn decoded<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let Some(decoder) = decoder(headers.get(CONTENT_ENCODING), body).ok()? else { return Some(Cow::Borrowed(body)) };
    let mut plain = Vec::new();
    if let Err(error) = decoder.take(MAX_BEGINNING).read_to_end(&mut plain) {
        tracing::debug!("a response was decoded in part: {error}");
    }
    Some(Cow::Owned(plain))
}

/// A whole body as it was before its coding, of at most so many bytes.
pub(crate) async fn decoded_whole(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, CodingError> {
    let Some(coding) = headers.get(CONTENT_ENCODING).cloned() else { return Ok(body) };
    let expected = body.len().saturating_mul(USUAL_EXPANSION);
    let decode = move || {
        let Some(decoder) = decoder(Some(&coding), &body)? else { return Ok(body.clone()) };
        let mut plain = Vec::new();
        decoder.take(most as u64 + 1).read_to_end(&mut plain).map_err(|_| CodingError::Broken)?;
        if plain.len() > most { Err(CodingError::TooLong) } else { Ok(plain.into()) }
    };
    off_thread_if_large(expected, decode).await
}

/// `None`: the body has no coding.
fn decoder<'a>(coding: Option<&HeaderValue>, body: &'a [u8]) -> Result<Option<Box<dyn Read + 'a>>, CodingError> {
    let coding = coding.map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
    Ok(match coding.as_deref() {
        None | Some(b"" | b"identity") => None,
        // The answer to HEAD has a coding and no body.
        Some(_) if body.is_empty() => None,
        Some(b"gzip" | b"x-gzip") => Some(Box::new(MultiGzDecoder::new(body))),
        // Some servers leave the zlib format out that RFC 9110 §8.4.1.2 demands.
        Some(b"deflate") if body[0] & 0x0f == 8 => Some(Box::new(ZlibDecoder::new(body))),
        Some(b"deflate") => Some(Box::new(DeflateDecoder::new(body))),
        Some(other) => return Err(CodingError::Unknown(String::from_utf8_lossy(other).into_owned())),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;

    use super::*;

    fn coded(coding: &'static str, body: &[u8]) -> Option<Vec<u8>> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        decoded(&headers, body).map(Cow::into_owned)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("written");
        encoder.finish().expect("written")
    }

    #[test]
    fn a_body_is_read_through_its_coding() {
        let text = b"{\"error\":\"expired\"}".as_slice();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text).expect("written");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(text).expect("written");
        for (coding, body) in [
            ("identity", text.to_vec()),
            ("gzip", gzip(text)),
            (" X-GZIP", gzip(text)),
            ("deflate", zlib.finish().expect("written")),
            ("deflate", raw.finish().expect("written")),
        ] {
            assert_eq!(coded(coding, &body).as_deref(), Some(text), "{coding}");
        }
        assert_eq!(coded("br", text), None);
        assert_eq!(coded("gzip, gzip", text), None);
    }

    #[test]
    fn a_body_that_is_cut_off_or_broken_gives_its_beginning() {
        let long: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let body = gzip(&long);
        let beginning = coded("gzip", &body[..body.len() / 2]).expect("known");
        assert!(!beginning.is_empty() && long.starts_with(&beginning));
        assert_eq!(coded("gzip", b"no gzip").as_deref(), Some(&[][..]));
    }

    #[test]
    fn a_body_that_expands_without_end_is_decoded_in_part() {
        let body = gzip(&vec![b'a'; 20 << 20]);
        assert!(body.len() < 64 << 10);
        assert_eq!(coded("gzip", &body).map(|decoded| decoded.len() as u64), Some(MAX_BEGINNING));
    }

    #[tokio::test]
    async fn a_whole_body_is_decoded_whole_or_not_at_all() {
        let whole = async |coding: &'static str, body: &[u8], most| {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
            decoded_whole(&headers, Bytes::copy_from_slice(body), most).await.map(Vec::from)
        };
        let long = vec![b'a'; 3 << 20];
        let body = gzip(&long);
        assert_eq!(whole("gzip", &body, long.len()).await.map(|plain| plain.len()), Ok(long.len()));
        assert_eq!(whole("gzip", &body, long.len() - 1).await, Err(CodingError::TooLong));
        assert_eq!(whole("gzip", &body[..body.len() / 2], long.len()).await, Err(CodingError::Broken));
        assert_eq!(whole("deflate", b"no deflate", 100).await, Err(CodingError::Broken));
        assert_eq!(whole("br", b"x", 100).await, Err(CodingError::Unknown("br".to_owned())));
        assert_eq!(whole("gzip", b"", 100).await, Ok(vec![]));
        assert_eq!(whole("identity", b"x", 100).await, Ok(b"x".to_vec()));
    }

    #[test]
    fn a_coding_is_asked_for_that_can_be_read_here_and_by_the_caller() {
        for (callers, asked_for) in [
            (&[][..], "identity"),
            (&["gzip, deflate, br"], "gzip"),
            (&["br", "X-Gzip;q=0.5"], "gzip"),
            (&["gzip;q=0, br"], "identity"),
            (&["br, zstd"], "identity"),
            (&["*"], "identity"),
        ] {
            let headers =
                callers.iter().map(|value| (ACCEPT_ENCODING, HeaderValue::from_static(value))).collect::<HeaderMap>();
            assert_eq!(acceptable(&headers), asked_for, "{callers:?}");
        }
    }
}
