//! What a definition says of an answer, before anything else is made of it.

use http::StatusCode;
use relink_domain::{Timestamp, integration::resources::Method};

use super::{MAX_ANSWER, ReadError, answer::value_of};
use crate::{
    answer::Answer,
    expressions::Expressions,
    rate_limit::RateLimits,
    remote_error::{ExpressedError, expressed_error},
};

/// What it says. By this status the answer counts for the account too: some providers answer a refused credential, a missing scope or
/// a call too many with a 200.
#[derive(Debug, Default)]
pub(super) struct Judgment {
    pub(super) limits: RateLimits,
    /// What the `error_expression` makes of it.
    pub(super) error: Option<ExpressedError>,
}

impl Judgment {
    /// With an `error_expression`, the whole answer is read.
    pub(super) async fn of(
        answer: &mut Answer,
        method: &Method,
        expressions: &impl Expressions,
        now: Timestamp,
    ) -> Result<Self, ReadError> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let config = method.rate_limit.as_deref();
        let limits =
            RateLimits::read(config, status, &headers, now, expressions).await.map_err(ReadError::RateLimit)?;
        let status = if limits.is_limited { StatusCode::TOO_MANY_REQUESTS } else { status };
        let Some(expression) = &method.error_expression else { return Ok(Self { limits, error: None }) };
        // Without its whole body, the caller gets another error.
        let Some(body) = answer.whole(MAX_ANSWER).await else { return Ok(Self { limits, error: None }) };
        let data = value_of(method.api_response_format, &headers, body).await;
        let error = expressed_error(expression, status, &headers, &data, expressions).await;
        let error = error.map_err(ReadError::ErrorExpression)?;
        let is_about_rate = error.as_ref().is_some_and(|error| error.status == StatusCode::TOO_MANY_REQUESTS);
        if !is_about_rate || limits.is_limited {
            return Ok(Self { limits, error });
        }
        let limits =
            RateLimits::read_refusal(config, &headers, now, expressions).await.map_err(ReadError::RateLimit)?;
        Ok(Self { limits, error })
    }

    /// The status that the answer counts as, if it is another than its own.
    pub(super) fn status(&self) -> Option<StatusCode> {
        let limited = self.limits.is_limited.then_some(StatusCode::TOO_MANY_REQUESTS);
        self.error.as_ref().map(|error| error.status).or(limited)
    }
}
