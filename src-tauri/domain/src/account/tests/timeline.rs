//! What the timeline says.

use super::*;

fn failure() -> Failure {
    Failure::new(Cause::ServerError)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_entry_has_its_text_and_tone() {
    let problem = "GitHub is having problems";
    let ada = || Some("ada".to_owned());
    let step = |step, cause| TimelineEvent::StepFailed {
        step,
        failure: Failure { step_error: Some("It is gone.".into()), ..Failure::new(cause) },
    };
    let refreshed = |rotated| TimelineEvent::Refreshed { expires_at: None, rotated };
    let refused = |next_try| TimelineEvent::RefreshFailed { failure: failure(), next_try };
    let deferred = |why| TimelineEvent::Deferred { why };
    let deleted = |revoked, is_pending, provider: Option<&str>| TimelineEvent::Deleted {
        name: "Acme".into(),
        revoked,
        is_pending,
        with_integration: false,
        provider: provider.map(str::to_owned),
    };
    let removed = |revoked, is_pending| TimelineEvent::Deleted {
        name: "Acme".into(),
        revoked,
        is_pending,
        with_integration: true,
        provider: Some("Acme CRM".to_owned()),
    };
    let later = |revoked| TimelineEvent::RevokedLater { provider: "GitHub".into(), revoked };
    let flow_failed = |provider_code: Option<&str>| TimelineEvent::FlowFailed {
        code: "access_denied".into(),
        message: "Denied.".into(),
        provider_code: provider_code.map(str::to_owned),
        provider_message: None,
    };
    let api_key = ProviderError { code: None, message: Some("API key not valid.".into()) };
    let forbidden = TimelineEvent::Forbidden {
        failure: Some(
            Failure::new(Cause::Forbidden).said(&ProviderError { code: Some("no_scope".into()), message: None }),
        ),
    };
    let callback = TimelineEvent::CallbackRefused { code: "state_used".into(), message: "Used.".into() };
    let reauthorized = |instead_of| TimelineEvent::Reauthorized { identity: ada(), instead_of };
    for (event, tone, line, detail) in [
        (TimelineEvent::Connected { identity: ada() }, Tone::Good, "Connected as ada", None),
        (TimelineEvent::Connected { identity: None }, Tone::Good, "Connected", None),
        (TimelineEvent::StepsBegun, Tone::Warning, "Running the integration's steps", None),
        (
            step(ConnectStep::PostInstall, Cause::PostInstallFailed),
            Tone::Bad,
            "A setup step for GitHub failed",
            Some("It is gone."),
        ),
        (
            step(ConnectStep::Validation, Cause::ValidationFailed),
            Tone::Bad,
            "GitHub's check of this connection failed",
            Some("It is gone."),
        ),
        (TimelineEvent::Activated, Tone::Good, "Ready", None),
        (refreshed(true), Tone::Good, "Refreshed", Some("With a new refresh token")),
        (refreshed(false), Tone::Good, "Refreshed", None),
        (refused(Some(T0)), Tone::Warning, "Refresh failed. Relink will retry.", Some(problem)),
        (refused(None), Tone::Bad, "Refresh refused", Some(problem)),
        (deferred(DeferReason::Offline), Tone::Warning, "Refresh deferred: offline", None),
        (deferred(DeferReason::JustWoken), Tone::Warning, "Refresh deferred: waiting for the network", None),
        (deferred(DeferReason::KeychainLocked), Tone::Warning, "Refresh deferred: the keychain is locked", None),
        (
            deferred(DeferReason::KeychainAbsent),
            Tone::Warning,
            "Refresh deferred: no keychain service is running",
            None,
        ),
        (deferred(DeferReason::ProviderAsked), Tone::Warning, "Refresh deferred: the provider asked to wait", None),
        (TimelineEvent::Resumed, Tone::Warning, "Interrupted refresh resumed", None),
        (TimelineEvent::Checked, Tone::Good, "Checked", Some("GitHub accepted a call")),
        (TimelineEvent::CheckInconclusive { failure: failure() }, Tone::Warning, "Check inconclusive", Some(problem)),
        (
            TimelineEvent::AnsweredAsAnother { identity: "grace".into(), instead_of: ada() },
            Tone::Warning,
            "GitHub answered as grace",
            Some("This account belongs to ada"),
        ),
        (TimelineEvent::Unauthorized { failure: failure() }, Tone::Bad, "A call was refused", Some(problem)),
        (TimelineEvent::CredentialGone { failure: failure() }, Tone::Bad, problem, None),
        (
            TimelineEvent::Forbidden { failure: None },
            Tone::Warning,
            "A call was forbidden",
            Some("GitHub answered 403: the account lacks a permission for it"),
        ),
        (
            forbidden,
            Tone::Warning,
            "A call was forbidden",
            Some("GitHub answered 403: the account lacks a permission for it. GitHub said: \"no_scope\""),
        ),
        (
            TimelineEvent::CheckInconclusive { failure: failure().said(&api_key) },
            Tone::Warning,
            "Check inconclusive",
            Some(
                "GitHub is having problems. GitHub said: \"API key not valid.\" Check that the key was copied whole and wasn't \
                 deleted at GitHub, then choose Refresh now.",
            ),
        ),
        (TimelineEvent::Reactivated, Tone::Good, "Working again", Some("It recovered without signing in again")),
        (reauthorized(None), Tone::Good, "Reauthorized as ada", None),
        (reauthorized(Some("grace".into())), Tone::Good, "Reauthorized as ada", Some("Previously: grace")),
        (TimelineEvent::KeptOld { identity: ada() }, Tone::Warning, "Kept the old sign-in", Some("ada signed in")),
        (flow_failed(None), Tone::Warning, "Sign-in failed", Some("Denied.")),
        (flow_failed(Some("no_way")), Tone::Warning, "Sign-in failed", Some("Denied. GitHub said: \"no_way\"")),
        (callback, Tone::Warning, "Sign-in callback refused", Some("Used.")),
        (TimelineEvent::LinkCreated { expires_at: T0 }, Tone::Good, "Magic link created", None),
        (TimelineEvent::Renamed { name: "Acme EU".into() }, Tone::Good, "Renamed to Acme EU", None),
        (TimelineEvent::ContextChanged, Tone::Good, "Context changed", None),
        (TimelineEvent::FormSubmitted, Tone::Good, "Form submitted", None),
        (
            TimelineEvent::SettingsChanged { settings: vec!["tenant_id".into(), "integration_override".into()] },
            Tone::Good,
            "Settings changed",
            Some("tenant_id, integration_override"),
        ),
        (
            TimelineEvent::SandboxMarked { is_sandbox: true },
            Tone::Good,
            "Marked as a sandbox account",
            Some("Programs can read with it, but not write"),
        ),
        (
            TimelineEvent::SandboxMarked { is_sandbox: false },
            Tone::Good,
            "No longer a sandbox account",
            Some("Programs can write with it"),
        ),
        (deleted(Some(true), false, None), Tone::Good, "Acme was deleted", Some("GitHub revoked its tokens")),
        (deleted(Some(true), false, Some("Notion")), Tone::Good, "Acme was deleted", Some("Notion revoked its tokens")),
        (
            deleted(Some(false), false, None),
            Tone::Warning,
            "Acme was deleted",
            Some("Not revoked at GitHub. Remove Relink's access in your account settings there."),
        ),
        (
            deleted(None, true, None),
            Tone::Warning,
            "Acme was deleted",
            Some("Not revoked at GitHub yet: the keychain is locked. Relink revokes it when the keychain is unlocked."),
        ),
        (deleted(None, false, None), Tone::Good, "Acme was deleted", None),
        (
            removed(None, true),
            Tone::Good,
            "Acme was deleted",
            Some("Removed with Acme CRM. Relink revokes its tokens there next."),
        ),
        (removed(None, false), Tone::Good, "Acme was deleted", Some("Removed with Acme CRM")),
        (
            removed(Some(false), false),
            Tone::Warning,
            "Acme was deleted",
            Some("Not revoked at Acme CRM. Remove Relink's access in your account settings there."),
        ),
        (later(true), Tone::Good, "Revoked at GitHub", Some("The account was deleted before")),
        (
            later(false),
            Tone::Warning,
            "Not revoked at GitHub",
            Some("Relink has given up. Remove its access in your account settings there."),
        ),
    ] {
        let (found_line, found_detail) = event.describe("GitHub");
        assert_eq!((event.tone(), found_line.as_str(), found_detail.as_deref()), (tone, line, detail), "{event:?}");
    }
}

#[test]
fn entries_stored_by_an_older_version_are_read() {
    for (stored, event) in [
        (r#"{"kind": "put_off", "why": "offline"}"#, TimelineEvent::Deferred { why: DeferReason::Offline }),
        (r#"{"kind": "taken_up_again"}"#, TimelineEvent::Resumed),
        (r#"{"kind": "forbidden"}"#, TimelineEvent::Forbidden { failure: None }),
        (
            r#"{"kind": "flow_failed", "code": "c", "message": "m"}"#,
            TimelineEvent::FlowFailed {
                code: "c".into(),
                message: "m".into(),
                provider_code: None,
                provider_message: None,
            },
        ),
    ] {
        assert_eq!(serde_json::from_str::<TimelineEvent>(stored).expect("read"), event);
    }
}
