//! When an access token expires, as its response says.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use relink_domain::Timestamp;
use serde_json::Value;

/// No real lifetime is longer, in seconds: a hundred years.
const MAX_SECS: f64 = 100.0 * 365.25 * 86_400.0;
/// From here on a number is no lifetime in seconds, but seconds since 1970 (this one is in 2001).
const MIN_EPOCH_SECS: f64 = 1e9;
/// From here on a number is milliseconds since 1970, not seconds (this one is in 1973, the other would be in 5138).
const MIN_EPOCH_MILLIS: f64 = 1e11;

/// When the token expires: `expires_in` (RFC 6749 §5.1), else a point in time in one of the names that providers use, else
/// the `exp` of a JWT (RFC 9068 §2.2). `None`: none of them says so. What is not after `now` says nothing.
pub(super) fn expiry(response: &Value, access_token: &str, now: Timestamp) -> Option<Timestamp> {
    let after_now = |at: &Timestamp| *at > now;
    let relative = |name: &str| lifetime(response.get(name)?, now);
    let absolute = |name: &str| point_in_time(response.get(name)?);
    relative("expires_in")
        .filter(after_now)
        .or_else(|| absolute("expires_at").filter(after_now))
        // Providers use this name for both.
        .or_else(|| absolute("expires").or_else(|| relative("expires")).filter(after_now))
        .or_else(|| absolute("expires_on").filter(after_now))
        .or_else(|| jwt_expiry(access_token).filter(after_now))
}

/// A lifetime in seconds: a number, or numeric text with or without the unit `s`.
fn lifetime(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let secs = number(value)?.min(MAX_SECS);
    #[expect(clippy::cast_possible_truncation, reason = "at most a hundred years")]
    (secs > 0.0).then(|| now.plus_millis((secs * 1000.0) as i64))
}

/// A point in time: seconds or milliseconds since 1970, or RFC 3339.
fn point_in_time(value: &Value) -> Option<Timestamp> {
    let Some(number) = number(value) else {
        return value.as_str()?.trim().parse::<jiff::Timestamp>().ok().map(Timestamp::from);
    };
    let millis = if number < MIN_EPOCH_MILLIS { number * 1000.0 } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the largest integer")]
    (number >= MIN_EPOCH_SECS).then(|| Timestamp::from_millis(millis as i64))
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => {
            let text = text.trim();
            text.strip_suffix('s').unwrap_or(text).trim_end().parse().ok()?
        }
        other => other.as_f64()?,
    };
    Some(number).filter(|number| number.is_finite())
}

fn jwt_expiry(token: &str) -> Option<Timestamp> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    point_in_time(claims.get("exp").filter(|exp| exp.is_number())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn secs(response: &Value) -> Option<f64> {
        secs_of(response, "opaque")
    }

    #[expect(clippy::cast_precision_loss)]
    fn secs_of(response: &Value, token: &str) -> Option<f64> {
        expiry(response, token, NOW).map(|at| at.millis_since(NOW) as f64 / 1000.0)
    }

    #[test]
    fn expires_in_is_read_as_providers_write_it() {
        for (value, expected) in [
            (json!(3600), Some(3600.0)),
            (json!(3600.0), Some(3600.0)),
            (json!(0.5), Some(0.5)),
            (json!("3600"), Some(3600.0)),
            (json!(" 3600 "), Some(3600.0)),
            (json!("3599s"), Some(3599.0)),
            (json!("3599.5 s"), Some(3599.5)),
            (json!(1e30), Some(MAX_SECS)),
            (json!(0), None),
            (json!("0"), None),
            (json!(-5), None),
            (json!("-5"), None),
            (json!(""), None),
            (json!("s"), None),
            (json!("never"), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!("3600m"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([3600]), None),
        ] {
            assert_eq!(secs(&json!({ "expires_in": value })), expected, "{value}");
        }
        assert_eq!(secs(&json!({})), None);
    }

    #[test]
    fn points_in_time_are_read_as_providers_write_them() {
        for name in ["expires_at", "expires", "expires_on"] {
            for value in [
                json!(1_700_003_600),
                json!("1700003600"),
                json!(1_700_003_600_000_i64),
                json!("1700003600000"),
                json!("2023-11-14T23:13:20Z"),
                json!("2023-11-15T00:13:20.000+01:00"),
            ] {
                assert_eq!(secs(&json!({ name: value })), Some(3600.0), "{name}: {value}");
            }
            for value in [json!(1_700_000_000), json!("2020-01-01T00:00:00Z"), json!("soon"), json!(-1), json!(null)] {
                assert_eq!(secs(&json!({ name: value })), None, "{name}: {value}");
            }
        }
        assert_eq!(secs(&json!({"expires": "5183999"})), Some(5_183_999.0), "a lifetime");
        assert_eq!(secs(&json!({"expires_at": 5_183_999})), None, "a time in 1970");
    }

    #[test]
    fn the_first_that_says_something_counts() {
        let jwt = |claims: &Value| format!("h.{}.s", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        let hour = jwt(&json!({"exp": 1_700_003_600}));
        assert_eq!(secs_of(&json!({}), &hour), Some(3600.0));
        assert_eq!(secs_of(&json!({"expires_in": 60}), &hour), Some(60.0));
        assert_eq!(secs_of(&json!({"expires_in": 0, "expires_at": 1_700_000_060}), &hour), Some(60.0));
        assert_eq!(
            secs_of(&json!({"expires_in": "", "expires_at": "x", "expires_on": "1700000060"}), &hour),
            Some(60.0)
        );
        assert_eq!(secs_of(&json!({"expires_in": 0}), &hour), Some(3600.0));
        for token in [
            jwt(&json!({"exp": 1_600_000_000})),
            jwt(&json!({"exp": "soon"})),
            jwt(&json!({})),
            jwt(&json!([])),
            format!("{hour}.x.y"),
            "a.b.c".to_owned(),
            "..".to_owned(),
            String::new(),
        ] {
            assert_eq!(secs_of(&json!({}), &token), None, "{token}");
        }
    }

    proptest! {
        #[test]
        fn an_expiry_is_always_later_than_now(text in ".{0,30}", number in any::<f64>(), token in "[a-zA-Z0-9_.-]{0,60}") {
            for name in ["expires_in", "expires_at", "expires", "expires_on"] {
                for value in [json!(text), json!(number), json!(number.to_string())] {
                    if let Some(at) = expiry(&json!({ name: value }), &token, NOW) {
                        prop_assert!(at > NOW);
                    }
                }
            }
        }
    }
}
