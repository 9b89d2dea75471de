//! What a provider says about the rate of calls, in one form (contract sections 0.5 and 4.6).

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AsHeaderName, RETRY_AFTER},
};
use relink_domain::{
    Timestamp,
    http_date::{http_date, retry_after_secs, whole_secs},
    integration::resources::RateLimit,
};
use serde_json::{Value, json};

use crate::{
    expressions::{ExpressionError, Expressions, is_truthy},
    remote_error::headers_for_expressions,
};

/// The rate limit that an answer tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Calls in a period.
    pub limit: Option<u64>,
    /// Calls that are left of them.
    pub remaining: Option<u64>,
    /// Seconds until the next period.
    pub reset_secs: Option<u32>,
    /// Whether the provider refused the call for its rate.
    pub is_limited: bool,
    /// Seconds until the provider wants to be called again: of a refused call, and of a provider that is out of service (503).
    pub retry_after_secs: Option<u32>,
    /// Whether the wait concerns every account at the provider, and not this one alone.
    pub is_for_everybody: bool,
}

/// What is in the name of each usual header but `Retry-After`.
const IN_EACH_NAME: &str = "rate";
/// The usual headers: the IETF's draft, and what came before it.
const LIMIT: [&str; 4] = ["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit", "rate-limit-limit"];
const REMAINING: [&str; 4] =
    ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining", "rate-limit-remaining"];
const RESET: [&str; 4] = ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "rate-limit-reset"];

/// A number that is more than this is a time since 1970, in seconds or in milliseconds: as a wait it would be 31 years.
const FIRST_EPOCH: f64 = 1e9;
/// In seconds it would be the year 5138.
const FIRST_EPOCH_IN_MILLIS: f64 = 1e11;

impl RateLimits {
    /// Reads the usual headers alone.
    pub fn of_headers(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        let usual = Usual { headers, now };
        let retry_after = usual.retry_after();
        let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
        Self { is_limited, ..usual.limits() }.with_wait(status, retry_after, None)
    }

    /// Reads an answer as the definition says, and the usual headers for what it doesn't say.
    pub async fn read(
        config: Option<&RateLimit>,
        status: StatusCode,
        headers: &HeaderMap,
        now: Timestamp,
        expressions: &impl Expressions,
    ) -> Result<Self, ExpressionError> {
        Self::read_as(None, config, status, headers, now, expressions).await
    }

    /// Reads an answer that refuses the call for its rate, whatever its status is.
    pub(crate) async fn read_refusal(
        config: Option<&RateLimit>,
        headers: &HeaderMap,
        now: Timestamp,
        expressions: &impl Expressions,
    ) -> Result<Self, ExpressionError> {
        Self::read_as(Some(true), config, StatusCode::TOO_MANY_REQUESTS, headers, now, expressions).await
    }

    async fn read_as(
        is_limited: Option<bool>,
        config: Option<&RateLimit>,
        status: StatusCode,
        headers: &HeaderMap,
        now: Timestamp,
        expressions: &impl Expressions,
    ) -> Result<Self, ExpressionError> {
        let Some(config) = config else { return Ok(Self::of_headers(status, headers, now)) };
        let scope = json!({"headers": headers_for_expressions(headers), "status": status.as_u16()});
        let evaluate = async |expression: &Option<String>| match expression {
            Some(expression) => expressions.evaluate(expression, scope.clone()).await,
            None => Ok(None),
        };
        let is_limited = match (is_limited, &config.is_rate_limited) {
            (Some(is_limited), _) => is_limited,
            (None, Some(_)) => evaluate(&config.is_rate_limited).await?.as_ref().is_some_and(is_truthy),
            (None, None) => status == StatusCode::TOO_MANY_REQUESTS,
        };
        let said = evaluate(&config.retry_after).await?;
        let retry_after = said.as_ref().and_then(|value| wait_of(value, now));
        let said = evaluate(&config.reset).await?;
        let reset = said.as_ref().and_then(|value| reset_of(value, now));
        let usual = Usual { headers, now };
        let limits = usual.limits();
        let limits = Self { is_limited, reset_secs: reset.or(limits.reset_secs), ..limits };
        Ok(limits.with_wait(status, retry_after.or_else(|| usual.retry_after()), reset))
    }

    /// The longer wait wins. `reset`: what the definition reads.
    fn with_wait(self, status: StatusCode, retry_after: Option<u32>, reset: Option<u32>) -> Self {
        // A provider may refuse a burst long before the period's calls are used up.
        let of_period = self.reset_secs.filter(|_| self.remaining.is_none_or(|remaining| remaining == 0));
        let retry_after_secs = if self.is_limited {
            retry_after.max(reset).max(of_period)
        } else {
            retry_after.filter(|_| status == StatusCode::SERVICE_UNAVAILABLE)
        };
        Self { retry_after_secs, ..self }
    }

    /// Sets Truto's headers, in place of the provider's of the same name.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let number = |number: Option<u32>| number.map(u64::from);
        for (name, value) in [
            (HeaderName::from_static("ratelimit-limit"), self.limit),
            (HeaderName::from_static("ratelimit-remaining"), self.remaining),
            (HeaderName::from_static("ratelimit-reset"), number(self.reset_secs)),
            // Truto's client takes 0 for "never".
            (RETRY_AFTER, number(self.retry_after_secs.map(|secs| secs.max(1)))),
        ] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from(value));
            }
        }
    }
}

/// The headers that most providers send.
struct Usual<'h> {
    headers: &'h HeaderMap,
    now: Timestamp,
}

impl Usual<'_> {
    fn limits(&self) -> RateLimits {
        // Most answers say nothing, and each header would be looked up.
        if !self.headers.keys().any(|name| name.as_str().contains(IN_EACH_NAME)) {
            return RateLimits::default();
        }
        let is = |name: &str, word: &str| self.text(name).is_some_and(|text| text.eq_ignore_ascii_case(word));
        RateLimits {
            limit: self
                .number(LIMIT)
                .or_else(|| self.draft("ratelimit", &["limit"]))
                .or_else(|| self.draft("ratelimit-policy", &["q"])),
            remaining: self.number(REMAINING).or_else(|| self.draft("ratelimit", &["remaining", "r"])),
            reset_secs: self.reset(),
            is_for_everybody: is("x-ratelimit-scope", "global") || is("x-ratelimit-global", "true"),
            ..RateLimits::default()
        }
    }

    fn text(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    fn retry_after(&self) -> Option<u32> {
        retry_after_secs(self.text(RETRY_AFTER)?, self.now)
    }

    fn first_of(&self, names: [&str; 4]) -> Option<&str> {
        names.into_iter().find_map(|name| self.text(name))
    }

    /// `100`, also of `100, 100;w=60`.
    fn number(&self, names: [&str; 4]) -> Option<u64> {
        self.first_of(names)?.split([',', ';', ' ']).next()?.parse().ok()
    }

    fn reset(&self) -> Option<u32> {
        let in_draft = || self.draft("ratelimit", &["reset", "t"]).and_then(|secs| u32::try_from(secs).ok());
        self.first_of(RESET).and_then(|text| reset_of(&text.into(), self.now)).or_else(in_draft)
    }

    /// A parameter of the draft's newer forms: `limit=10, remaining=3, reset=5`, or `"default";r=3;t=5`.
    fn draft(&self, header: &str, names: &[&str]) -> Option<u64> {
        self.text(header)?.split([',', ';']).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            names.contains(&name.trim()).then(|| value.trim().parse().ok())?
        })
    }
}

/// Seconds of a wait: a number, or what `Retry-After` may be.
fn wait_of(value: &Value, now: Timestamp) -> Option<u32> {
    match value {
        Value::Number(number) => secs_of(number.as_f64()?),
        Value::String(text) => retry_after_secs(text, now).or_else(|| secs_of(text.trim().parse().ok()?)),
        _ => None,
    }
}

/// Seconds until a reset: a number of seconds, or a time in seconds or milliseconds since 1970, or a date.
fn reset_of(value: &Value, now: Timestamp) -> Option<u32> {
    let until = |at: Timestamp| u32::try_from(whole_secs(at.millis_since(now))).ok();
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.trim().parse() {
            Ok(number) => number,
            Err(_) => return until(http_date(text).or_else(|| text.trim().parse().ok())?),
        },
        _ => return None,
    };
    if number < FIRST_EPOCH {
        return secs_of(number);
    }
    let millis = if number < FIRST_EPOCH_IN_MILLIS { number * 1000.0 } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the last time")]
    until(Timestamp::from_millis(millis as i64))
}

/// Rounded up. Nothing that is negative or no number.
fn secs_of(number: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range is checked")]
    (0.0..=f64::from(u32::MAX)).contains(&number).then(|| number.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    /// 2023-11-14T22:13:20Z
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
            .collect()
    }

    fn read(status: u16, of: &[(&'static str, &str)]) -> RateLimits {
        RateLimits::of_headers(StatusCode::from_u16(status).expect("a status"), &headers(of), NOW)
    }

    fn parts(limits: RateLimits) -> (Option<u64>, Option<u64>, Option<u32>) {
        (limits.limit, limits.remaining, limits.reset_secs)
    }

    #[test]
    fn the_usual_headers_become_trutos() {
        for of in [
            &[("ratelimit-limit", "100"), ("ratelimit-remaining", "7"), ("ratelimit-reset", "30")][..],
            &[("x-ratelimit-limit", "100"), ("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "1700000030")],
            &[("x-rate-limit-limit", "100"), ("x-rate-limit-remaining", "7"), ("x-rate-limit-reset", "1700000030000")],
            &[("rate-limit-limit", "100"), ("rate-limit-remaining", "7"), ("rate-limit-reset", "29.2")],
            &[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "7"), ("ratelimit-reset", "1700000029.5")],
            &[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "7"),
                ("x-ratelimit-reset", "2023-11-14T22:13:50Z"),
            ],
            &[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "7"),
                ("x-ratelimit-reset", "Tue, 14 Nov 2023 22:13:50 GMT"),
            ],
            &[("ratelimit", "limit=100, remaining=7, reset=30")],
            &[("ratelimit", "\"default\";r=7;t=30"), ("ratelimit-policy", "\"default\";q=100;w=60")],
        ] {
            assert_eq!(parts(read(200, of)), (Some(100), Some(7), Some(30)), "{of:?}");
            assert_eq!((read(200, of).is_limited, read(200, of).retry_after_secs), (false, None), "{of:?}");
        }
        for of in [&[][..], &[("x-ratelimit-limit", "many"), ("x-ratelimit-reset", "soon"), ("ratelimit", "x=1;r")]] {
            assert_eq!(parts(read(200, of)), (None, None, None), "{of:?}");
        }
        assert_eq!(read(200, &[("x-ratelimit-reset", "1600000000")]).reset_secs, Some(0), "it has passed");
    }

    #[test]
    fn a_refused_call_says_how_long_to_wait() {
        for (status, of, expected) in [
            (429, &[("retry-after", "20")][..], Some(20)),
            (429, &[("retry-after", "Tue, 14 Nov 2023 22:13:40 GMT")], Some(20)),
            (429, &[("x-ratelimit-reset", "1700000045")], Some(45)),
            // The longer wait wins,
            (429, &[("retry-after", "20"), ("x-ratelimit-reset", "45"), ("x-ratelimit-remaining", "0")], Some(45)),
            (429, &[("retry-after", "50"), ("x-ratelimit-reset", "45"), ("x-ratelimit-remaining", "0")], Some(50)),
            // but a burst isn't the end of the period.
            (429, &[("retry-after", "20"), ("x-ratelimit-reset", "2000"), ("x-ratelimit-remaining", "4000")], Some(20)),
            (429, &[], None),
            (503, &[("retry-after", "20"), ("x-ratelimit-reset", "45")], Some(20)),
            (503, &[("x-ratelimit-reset", "45")], None),
            (200, &[("retry-after", "20")], None),
            (301, &[("retry-after", "20")], None),
        ] {
            let found = read(status, of);
            assert_eq!((found.is_limited, found.retry_after_secs), (status == 429, expected), "{status} {of:?}");
        }
        assert!(read(429, &[("x-ratelimit-scope", "Global")]).is_for_everybody);
        assert!(!read(429, &[("x-ratelimit-scope", "user")]).is_for_everybody);
    }

    #[test]
    fn the_answer_carries_them() {
        let mut sent = headers(&[("ratelimit-reset", "1700000030"), ("x-other", "1")]);
        let limits =
            RateLimits { limit: Some(10), reset_secs: Some(30), retry_after_secs: Some(0), ..RateLimits::default() };
        limits.add_to(&mut sent);
        let value = |name: &str| sent.get(name).map(|value| value.to_str().expect("text"));
        assert_eq!((value("ratelimit-limit"), value("ratelimit-remaining")), (Some("10"), None));
        assert_eq!(
            (value("ratelimit-reset"), value("retry-after"), value("x-other")),
            (Some("30"), Some("1"), Some("1"))
        );
    }

    /// Knows three expressions.
    #[derive(Clone)]
    struct Fake;

    impl Expressions for Fake {
        async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
            match expression {
                "limited" => Ok(Some((input["headers"]["x-left"] == "0").into())),
                "wait" => Ok(input["headers"].get("x-wait").cloned()),
                "reset" => Ok(input["headers"].get("x-reset").cloned()),
                _ => Err(ExpressionError { code: None, message: "not known".to_owned(), position: None, advice: None }),
            }
        }
    }

    #[test]
    fn a_definition_reads_limits_in_its_own_way() {
        let config = |limited: Option<&str>| RateLimit {
            is_rate_limited: limited.map(str::to_owned),
            retry_after: Some("wait".to_owned()),
            reset: Some("reset".to_owned()),
        };
        let read = |config: &RateLimit, status: u16, of: &[(&'static str, &str)]| {
            let status = StatusCode::from_u16(status).expect("a status");
            RateLimits::read(Some(config), status, &headers(of), NOW, &Fake).now_or_never().expect("no wait")
        };
        let wait = |status: u16, of: &[(&'static str, &str)]| {
            let found = read(&config(Some("limited")), status, of).expect("limits");
            (found.is_limited, found.retry_after_secs, found.reset_secs)
        };
        assert_eq!(wait(403, &[("x-left", "0"), ("x-wait", "7")]), (true, Some(7), None));
        assert_eq!(wait(403, &[("x-left", "0"), ("x-wait", "7"), ("x-reset", "1700000009")]), (true, Some(9), Some(9)));
        assert_eq!(
            wait(403, &[("x-left", "0"), ("x-wait", "12.5"), ("x-reset", "1700000009000")]),
            (true, Some(13), Some(9))
        );
        assert_eq!(wait(403, &[("x-left", "0"), ("retry-after", "5")]), (true, Some(5), None), "the usual header");
        assert_eq!(wait(429, &[("x-left", "1"), ("x-wait", "7")]), (false, None, None), "the expression decides");
        let default = read(&config(None), 429, &[("x-wait", "7")]).expect("limits");
        assert_eq!((default.is_limited, default.retry_after_secs), (true, Some(7)));
        assert!(read(&config(Some("$oops")), 200, &[]).is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[ -~]{0,30}", number in any::<f64>(), now in any::<i64>()) {
            let now = Timestamp::from_millis(now);
            for name in ["retry-after", "x-ratelimit-reset", "ratelimit", "ratelimit-limit"] {
                let _ = RateLimits::of_headers(StatusCode::TOO_MANY_REQUESTS, &headers(&[(name, &text)]), now);
            }
            let _ = (reset_of(&number.into(), now), wait_of(&number.into(), now));
        }
    }
}
