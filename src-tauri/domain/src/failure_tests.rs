use super::*;

fn response(error: Option<&str>) -> TokenErrorResponse {
    TokenErrorResponse { error: error.map(str::to_owned), is_json: true, ..TokenErrorResponse::default() }
}

#[test]
fn token_errors_are_classified_by_status_and_code() {
    let own =
        ProviderErrorCodes { terminal: vec!["bad_refresh_token".into()], client: vec!["incorrect_client".into()] };
    for (status, error, cause) in [
        (400, Some("invalid_grant"), Cause::InvalidGrant),
        (401, Some("invalid_client"), Cause::InvalidClient),
        (401, None, Cause::InvalidClient),
        (400, Some("unauthorized_client"), Cause::UnauthorizedClient),
        (200, Some("bad_refresh_token"), Cause::RefusedByProvider),
        (500, Some("bad_refresh_token"), Cause::RefusedByProvider),
        (200, Some("incorrect_client"), Cause::InvalidClient),
        (429, None, Cause::RateLimited),
        (429, Some("invalid_grant"), Cause::RateLimited),
        (400, Some("slow_down"), Cause::RateLimited),
        (500, Some("invalid_grant"), Cause::ServerError),
        (503, None, Cause::ServerError),
        (599, None, Cause::ServerError),
        (502, None, Cause::BadGateway),
        (504, Some("temporarily_unavailable"), Cause::BadGateway),
        (400, Some("temporarily_unavailable"), Cause::ServerError),
        (400, Some("server_error"), Cause::ServerError),
        (408, None, Cause::ServerError),
        (400, Some("strange"), Cause::UnknownRefusal),
        (200, Some("strange"), Cause::UnknownRefusal),
        (404, None, Cause::UnknownRefusal),
        (200, None, Cause::Garbled),
    ] {
        assert_eq!(classify_token_error(status, &response(error), &own).cause, cause, "{status} {error:?}");
    }
}

#[test]
fn a_response_that_is_not_json_came_from_something_else() {
    let page = TokenErrorResponse::default();
    for status in [200, 400, 401, 403] {
        let failure = classify_token_error(status, &page, &ProviderErrorCodes::default());
        assert_eq!(failure.cause, Cause::NotJson, "{status}");
    }
    assert_eq!(classify_token_error(503, &page, &ProviderErrorCodes::default()).cause, Cause::ServerError);
}

#[test]
fn every_cause_says_what_happened_what_it_means_and_what_to_do() {
    for cause in Cause::ALL {
        for verdict in [Verdict::NeedsPerson, Verdict::NeedsClient, Verdict::Retrying] {
            let explanation = cause.explain("GitHub", verdict);
            for text in [&explanation.title, &explanation.message, &explanation.hint] {
                assert!(!text.is_empty() && !text.contains('{'), "{cause:?}: {text}");
            }
            assert!(explanation.message.ends_with('.'), "{cause:?}");
            assert_eq!((&explanation.title, &explanation.message), (&cause.title("GitHub"), &cause.message("GitHub")),);
        }
    }
    let explanation = Cause::InvalidGrant.explain("GitHub", Verdict::NeedsPerson);
    assert_eq!(
        (explanation.title.as_str(), explanation.message.as_str(), explanation.hint.as_str()),
        (
            "GitHub no longer accepts this sign-in",
            "Access was revoked or expired at GitHub. Nothing that uses this account works until you sign in again.",
            "Reauthorize the connection.",
        )
    );
}

#[test]
fn a_hint_promises_a_retry_only_while_one_is_planned() {
    let later = Some(crate::Timestamp::from_millis(1));
    for cause in Cause::ALL {
        let failure = Failure::new(*cause);
        for next_try in [None, later] {
            let verdict = Verdict::for_failure(&failure, next_try);
            let hint = cause.explain("GitHub", verdict).hint;
            let promised = hint.contains("retry");
            assert!(!promised || verdict == Verdict::Retrying, "{cause:?}, {next_try:?}: {hint}");
        }
    }
    assert_eq!(Cause::UnknownRefusal.explain("GitHub", Verdict::NeedsPerson).hint, "Reauthorize the connection.");
}

#[test]
fn a_response_that_may_have_carried_a_token_is_ambiguous() {
    let ambiguous: Vec<_> = Cause::ALL.iter().filter(|cause| cause.is_ambiguous()).map(|cause| cause.code()).collect();
    assert_eq!(ambiguous, ["timeout", "connection_reset", "bad_gateway", "not_json", "garbled_answer"]);
}

#[test]
fn the_providers_message_stays_on_one_short_line() {
    let long = TokenErrorResponse { description: Some(format!("a\nb{}", "c".repeat(999))), ..response(Some("x")) };
    let failure = classify_token_error(400, &long, &ProviderErrorCodes::default());
    let message = failure.provider_message.expect("kept");
    assert!(message.starts_with("a b") && message.len() == MAX_MESSAGE_CHARS);
    assert_eq!((failure.http_status, failure.provider_code.as_deref()), (Some(400), Some("x")));
}

#[test]
fn a_failure_is_logged_with_what_the_provider_said() {
    let mut failure = Failure::new(Cause::InvalidGrant);
    assert_eq!(failure.to_string(), "invalid_grant");
    failure.provider_code = Some("expired".into());
    failure.provider_message = Some("Token expired".into());
    assert_eq!(failure.status(400).to_string(), "invalid_grant, HTTP 400, expired: Token expired");
}

#[test]
fn a_failure_stored_by_an_older_version_is_read() {
    let stored = r#"{"cause":"invalid_grant","provider_words":"Token expired"}"#;
    let failure: Failure = serde_json::from_str(stored).expect("read");
    assert_eq!(failure.provider_message.as_deref(), Some("Token expired"));
}
