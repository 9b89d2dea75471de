//! UTF-8 encoding and decoding, and percent-decoding, as the Encoding and URL standards define them.

use rquickjs::{Ctx, Object, Result, TypedArray};

use super::{add, bytes_from, bytes_to};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    add(ctx, host, "utf8Encode", utf8_encode)?;
    add(ctx, host, "utf8Decode", utf8_decode)?;
    add(ctx, host, "formDecode", form_decode)?;
    add(ctx, host, "formEncode", form_encode)
}

fn utf8_encode<'js>(ctx: Ctx<'js>, text: String) -> Result<TypedArray<'js, u8>> {
    bytes_to(&ctx, text.as_bytes())
}

/// Nothing when `fatal` and the bytes are not UTF-8. Otherwise each maximal ill-formed sequence becomes U+FFFD.
fn utf8_decode(ctx: Ctx<'_>, bytes: String, fatal: bool) -> Result<Option<String>> {
    if bytes.is_ascii() {
        return Ok(Some(bytes));
    }
    let bytes = bytes_from(&ctx, &bytes)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(_) if fatal => None,
        Err(error) => Some(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    })
}

/// Name and value alternate in the answer.
fn form_decode(query: String) -> Vec<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .flat_map(|(name, value)| [name.into_owned(), value.into_owned()])
        .collect()
}

/// Takes what [`form_decode`] returns.
fn form_encode(pairs: Vec<String>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for pair in pairs.chunks_exact(2) {
        query.append_pair(&pair[0], &pair[1]);
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn text_becomes_utf8() {
        assert_eq!(
            run::<String>("__host.utf8Encode('aé€😀').toString()").as_deref(),
            Ok("97,195,169,226,130,172,240,159,152,128")
        );
    }

    #[test]
    fn ill_formed_sequences_become_replacement_characters() {
        let decoded = run::<String>(r"__host.utf8Decode('a\xff\xe2\x82b\xed\xa0\x80\xf0\x9f\x98', false)");
        assert_eq!(decoded.as_deref(), Ok("a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}"));
        assert_eq!(run::<Option<String>>(r"__host.utf8Decode('\xff', true)"), Ok(None));
        assert_eq!(run::<Option<String>>(r"__host.utf8Decode('\xc3\xbc', true)"), Ok(Some("ü".into())));
    }

    #[test]
    fn queries_decode_and_encode() {
        assert_eq!(
            form_decode("a=1&b=x+y%20z&&c&=d&%zz=%ff".into()),
            ["a", "1", "b", "x y z", "c", "", "", "d", "%zz", "\u{fffd}"]
        );
        assert_eq!(
            form_encode(vec!["a b".into(), "ü&*-._~'".into(), "c".into(), String::new()]),
            "a+b=%C3%BC%26*-._%7E%27&c="
        );
    }
}
