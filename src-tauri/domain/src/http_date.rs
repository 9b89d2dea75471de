//! Times in headers of HTTP.

use crate::Timestamp;

/// A date in any of its three forms (RFC 9110 §5.6.7).
pub fn http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(at.into());
    }
    let obsolete = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let found = obsolete.iter().find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
    jiff::tz::Offset::UTC.to_timestamp(found).ok().map(Into::into)
}

/// `Retry-After` as whole seconds from `now` on, from either of its forms (RFC 9110 §10.2.3). A time that has passed is none to
/// wait for.
pub fn retry_after_secs(text: &str, now: Timestamp) -> Option<u32> {
    let text = text.trim();
    if let Ok(secs) = text.parse() {
        return Some(secs);
    }
    u32::try_from(whole_secs(http_date(text)?.millis_since(now))).ok()
}

/// Rounded up, because a wait that is too short by a moment is one call too many.
pub const fn whole_secs(millis: i64) -> i64 {
    if millis <= 0 { 0 } else { (millis - 1) / 1000 + 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_has_three_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(http_date(text), Some(Timestamp::from_millis(784_111_777_000)), "{text}");
        }
        for text in ["", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994", "Sun Nov 31 08:49:37 1994", "soon"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = Timestamp::from_millis(784_111_777_001);
        let wait = |text: &str| retry_after_secs(text, now);
        assert_eq!(
            (wait("120"), wait(" 0 "), wait("soon"), wait("-1"), wait("1.5")),
            (Some(120), Some(0), None, None, None)
        );
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:38 GMT"), Some(1));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:38 GMT"), Some(61));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it has passed");
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT"), None, "no wait that anybody waits for");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,40}", now in any::<i64>()) {
            let _ = retry_after_secs(&text, Timestamp::from_millis(now));
        }
    }
}
