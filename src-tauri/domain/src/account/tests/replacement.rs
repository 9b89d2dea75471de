//! Reauthorization: new credentials replace the old ones.

use super::*;

#[test]
fn a_reauthorization_sends_updated_then_active_and_never_reactivated() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let id = story.account.id();
    story.refresh_fails(Cause::InvalidGrant).wait(60);
    let generation = story.account.next_generation();
    story.apply(replacement(Some(Renewal::RefreshToken), "ada"));
    assert_eq!(
        story.account.status(),
        Status::NeedsReauth,
        "nothing changes before the keychain holds the new credentials"
    );
    story.apply(Input::Replaced { generation });
    assert_eq!(story.events[2..], ["authentication_error", "updated", "active"]);
    assert_eq!((story.account.id(), story.account.status()), (id, Status::Active));
}

#[test]
fn a_replacement_that_was_lost_before_the_keychain_changes_nothing() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let before = story.account.clone();
    let generation = before.next_generation();
    story.apply(replacement(None, "grace")).apply(Input::ReplacementLost { generation });
    assert_eq!(story.account, before);
}

#[test]
fn a_sign_in_without_an_identity_keeps_the_old_identity() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let generation = story.account.next_generation();
    let Input::BeginReplacement { mut granted, link, first_step } = replacement(Some(Renewal::RefreshToken), "ada")
    else {
        unreachable!()
    };
    granted.identity = None;
    story.apply(Input::BeginReplacement { granted, link, first_step }).apply(Input::Replaced { generation });
    assert_eq!(story.account.profile.identity.as_ref().map(|identity| identity.id.as_str()), Some("ada"));
}

#[test]
fn a_reauthorization_makes_an_open_refresh_stale() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let open = story.account.next_generation();
    story.apply(Input::BeginRefresh);
    let generation = story.account.next_generation();
    story.apply(replacement(Some(Renewal::RefreshToken), "ada")).apply(Input::Replaced { generation });
    assert_eq!(story.account.status(), Status::Active);
    let late = Input::Refreshed { generation: open, lifetime: lifetime(T0), rotated: true };
    assert_eq!(story.try_apply(late), Err(Rejected::Stale { got: open }));
}

#[test]
fn a_second_replacement_is_rejected_while_one_is_open() {
    let mut story = Story::connected(None);
    story.apply(replacement(None, "ada"));
    assert_eq!(story.try_apply(replacement(None, "grace")), Err(Rejected::BeingReplaced));
}

#[test]
fn a_401_for_replaced_credentials_changes_nothing() {
    let mut story = Story::connected(None);
    let old = story.account.state.credential().generation();
    let generation = story.account.next_generation();
    story.apply(replacement(None, "ada")).apply(Input::Replaced { generation });
    let late = Input::CallAnswered { generation: old, outcome: unauthorized() };
    assert_eq!(story.try_apply(late), Err(Rejected::Stale { got: old }));
    assert_eq!(story.account.status(), Status::Active);
}

#[test]
fn a_sign_in_as_somebody_else_is_noted_in_the_timeline() {
    for (person, instead_of) in [("ada", None), ("grace", Some("ada".to_owned()))] {
        let mut story = Story::connected(None);
        let generation = story.account.next_generation();
        story.apply(replacement(None, person));
        let replaced = story.account.clone().apply(Input::Replaced { generation }, T0, Jitter::NONE).expect("replaced");
        let identity = Some(person.to_owned());
        assert_eq!(replaced.timeline, [TimelineEvent::Reauthorized { identity, instead_of }]);
        assert_eq!(replaced.account.replacement, None);
    }
}

#[test]
fn a_result_of_another_replacement_is_rejected() {
    let mut story = Story::connected(None);
    let generation = story.account.next_generation();
    story.apply(replacement(None, "ada"));
    for input in [Input::Replaced { generation: generation + 1 }, Input::ReplacementLost { generation: generation + 1 }]
    {
        assert_eq!(story.try_apply(input), Err(Rejected::Stale { got: generation + 1 }));
    }
    assert!(story.account.replacement.is_some());
}

#[test]
fn a_reauthorization_clears_the_last_errors_and_sets_the_context() {
    let mut story = Story::connected(None);
    story.answered(forbidden()).answered(unauthorized());
    let generation = story.account.next_generation();
    let Input::BeginReplacement { mut granted, link, first_step } = replacement(None, "ada") else { unreachable!() };
    granted.scopes = vec!["read".into()];
    granted.context.insert("team".into(), "core".into());
    story.wait(60).apply(Input::BeginReplacement { granted, link, first_step }).apply(Input::Replaced { generation });
    let profile = &story.account.profile;
    assert_eq!((&profile.last_error, &profile.last_forbidden_error), (&None, &None));
    assert_eq!((profile.scopes.as_slice(), &profile.context["team"]), (&["read".to_owned()][..], &"core".into()));
    assert_eq!(profile.updated_at, story.now);
}
