use http::{HeaderMap, HeaderValue, StatusCode};

use super::*;

#[test]
fn the_signature_matches_rfc_4231_in_both_formats() {
    // RFC 4231 §4.3.
    let signed = |format| sign(&Secret::new("Jefe"), &[b"what do ya want ", b"for nothing?"], format);
    assert_eq!(signed(SignatureFormat::Base64), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(signed(SignatureFormat::Hex), hex);
}

fn response(body: &[u8], headers: &[(&'static str, &'static str)]) -> HttpResponse {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    HttpResponse { status: StatusCode::BAD_REQUEST, headers: map, body: body.to_vec() }
}

#[test]
fn what_is_kept_of_a_response_has_no_secret_and_no_cookie() {
    let filter = SecretFilter::new([&Secret::new("0b9c1f4e-7a52-4c0d-9d55-3f0f8a6c7b21")]);
    let echoed = br#"{"you": "0b9c1f4e-7a52-4c0d-9d55-3f0f8a6c7b21", "\u001b[2Jwhy": "no"}"#;
    let headers = [
        ("set-cookie", "session=abc123"),
        ("x-echo", "key 0b9c1f4e-7a52-4c0d-9d55-3f0f8a6c7b21"),
        ("vary", "a"),
        ("vary", "b"),
    ];
    let kept = kept(&response(echoed, &headers), &filter);
    assert_eq!(kept.status, 400);
    assert_eq!(kept.headers["set-cookie"], HIDDEN);
    assert_eq!(kept.headers["vary"], "a, b");
    let all = serde_json::to_string(&kept).expect("serialized");
    assert!(!all.contains("0b9c1f4e") && !all.contains("abc123") && all.contains("why"), "{all}");
}

#[test]
fn only_the_start_of_a_response_is_kept() {
    let long = "é".repeat(MAX_BODY);
    let kept = kept(&response(long.as_bytes(), &[]), &SecretFilter::default());
    assert!(kept.is_truncated);
    assert_eq!(kept.body, "é".repeat(MAX_BODY / 2));
}
