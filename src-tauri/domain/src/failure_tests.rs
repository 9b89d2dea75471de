use super::*;

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
    assert_eq!(
        ambiguous,
        ["timeout", "connection_reset", "bad_gateway", "not_json", "malformed_token", "garbled_answer"]
    );
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
