//! `Relink-Wait`: a call that waits until the account's person has reauthorized it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use relink_calls::{MAX_WAITING_BODY, MAX_WAITING_CALLS, WaitError};
use relink_domain::{AccountId, caller::Caller};

use crate::{
    ApiState,
    error::ApiError,
    withdrawn::{Withdrawn, withdrawn},
};

pub(crate) const WAIT: HeaderName = HeaderName::from_static("relink-wait");
const MAX_WAIT: Duration = Duration::from_hours(1);
/// `Retry-After` when all places are taken, in seconds.
const RETRY_AFTER_SECS: u32 = 60;

/// For how long a call may wait; `None` without the header.
pub(crate) fn wait_of(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    let Some(value) = headers.get(WAIT) else { return Ok(None) };
    let wait = value.to_str().ok().and_then(duration).filter(|wait| *wait <= MAX_WAIT);
    wait.map(Some).ok_or_else(|| {
        let message = "Relink-Wait must be a time of up to one hour, such as 90s, 10m or 1h.";
        ApiError::bad_request("relink_wait_invalid", message)
    })
}

/// `90`, `90s`, `10m` or `1h`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let secs_each = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = if is_number { digits.parse().ok()? } else { return None };
    count.checked_mul(secs_each).map(Duration::from_secs)
}

/// Makes a call that may wait. A caller that leaves ends it, and so do the end of its token and of the account.
pub(crate) async fn waited<T, E>(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    call: impl Future<Output = Result<T, WaitError<E>>>,
) -> Result<Result<T, E>, ApiError> {
    tokio::select! {
        ended = call => match ended {
            Ok(response) => Ok(Ok(response)),
            Err(WaitError::Call(error)) => Ok(Err(error)),
            Err(WaitError::BodyTooLarge) => {
                let message = format!("A call that may wait has a body of at most {MAX_WAITING_BODY} bytes.");
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large_to_wait", &message))
            }
            Err(WaitError::TooManyWaiting) => {
                let message = format!("{MAX_WAITING_CALLS} calls are waiting already.");
                Err(ApiError::too_many_requests("too_many_waiting_calls", &message, RETRY_AFTER_SECS))
            }
        },
        why = withdrawn(api.clone(), caller.clone(), account) => Err(match why {
            Withdrawn::Token => ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "The token was revoked or has expired."),
            Withdrawn::Account => ApiError::not_found("The account was deleted."),
            Withdrawn::Stopping => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "Relink is stopping."),
        }),
    }
}

#[cfg(test)]
mod tests {
    use axum::{http::HeaderValue, response::IntoResponse};

    use super::*;

    #[test]
    fn a_wait_is_a_time_of_up_to_an_hour() {
        let read = |text: &'static str| {
            let headers = HeaderMap::from_iter([(WAIT, HeaderValue::from_static(text))]);
            wait_of(&headers).map(|wait| wait.expect("there").as_secs()).map_err(|error| error.into_response().status())
        };
        for (text, secs) in [("90", 90), ("90s", 90), ("10m", 600), (" 1h ", 3600), ("60m", 3600), ("0", 0)] {
            assert_eq!(read(text), Ok(secs), "{text}");
        }
        for text in ["", "m", "61m", "2h", "-1", "+1", "1.5h", "10 m", "10M", "10min", "99999999999999999999", "1h30m"]
        {
            assert_eq!(read(text), Err(StatusCode::BAD_REQUEST), "{text}");
        }
        assert!(wait_of(&HeaderMap::new()).is_ok_and(|wait| wait.is_none()));
    }
}
