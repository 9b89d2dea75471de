//! Content codings (RFC 9110 §8.4.1) of what is read of a response. What is passed on stays as it is.

use std::{borrow::Cow, io::Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header::CONTENT_ENCODING};

/// The most that is decoded: a small body may expand to gigabytes.
const MAX_DECODED: u64 = 1 << 20;

/// The body as it was before its coding, as far as it is there; `None` for a coding that isn't known.
pub(crate) fn decoded<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let coding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
    Some(match coding.as_deref() {
        None | Some(b"" | b"identity") => Cow::Borrowed(body),
        Some(b"gzip" | b"x-gzip") => Cow::Owned(read(MultiGzDecoder::new(body))),
        // Some servers leave the zlib format out that RFC 9110 §8.4.1.2 demands.
        Some(b"deflate") if body.first().is_some_and(|first| first & 0x0f == 8) => {
            Cow::Owned(read(ZlibDecoder::new(body)))
        }
        Some(b"deflate") => Cow::Owned(read(DeflateDecoder::new(body))),
        Some(_) => return None,
    })
}

/// What can be read, up to an error: the body may be cut off.
fn read(decoder: impl Read) -> Vec<u8> {
    let mut plain = Vec::new();
    if let Err(error) = decoder.take(MAX_DECODED).read_to_end(&mut plain) {
        tracing::debug!("a response was decoded in part: {error}");
    }
    plain
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
        assert_eq!(coded("gzip", &body).map(|decoded| decoded.len() as u64), Some(MAX_DECODED));
    }
}
