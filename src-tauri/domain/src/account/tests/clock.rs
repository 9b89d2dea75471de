//! A clock that was set back.

use super::*;

const BACK_SECS: i64 = 3 * 24 * 60 * 60;

impl Story {
    /// The clock is set back, and the account's times with it.
    fn set_back(&mut self) -> &mut Self {
        self.now = self.now.plus_secs(-BACK_SECS);
        self.apply(Input::ClockSetBack { millis: BACK_SECS * 1000 })
    }

    fn due_in_secs(&self) -> Option<i64> {
        Some(self.account.due(Jitter::NONE)?.at().millis_since(self.now) / 1000)
    }
}

#[test]
fn whatever_an_account_waits_for_comes_after_the_same_time() {
    let with_lifetime = |secs| {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        let lifetime = TokenLifetime::new(story.now, Some(story.now.plus_secs(secs)));
        let generation = story.account.next_generation();
        story.apply(Input::BeginRefresh).apply(Input::Refreshed { generation, lifetime, rotated: false });
        story
    };
    let failing = |failure: Failure| {
        let mut story = Story::connected(Some(Renewal::RefreshToken));
        let generation = story.account.next_generation();
        story.apply(Input::BeginRefresh).apply(Input::RefreshFailed { generation, failure });
        story
    };
    let mut checked = Story::connected(None);
    let credential =
        NewCredential::Fixed { kind: FixedKind::AccessToken, expires_at: Some(checked.now.plus_secs(600)) };
    checked.account.state =
        AccountState::Working { credential: Credential::new(&credential, Account::FIRST_GENERATION) };
    let limited = Failure { retry_after_secs: Some(7200), ..Failure::new(Cause::RateLimited) };
    for (what, mut story) in [
        ("a refresh before the expiry", with_lifetime(3600)),
        ("the daily refresh", with_lifetime(90 * 24 * 60 * 60)),
        ("a retry", failing(Failure::new(Cause::ServerError))),
        ("a Retry-After", failing(limited)),
        ("a check", checked),
    ] {
        story.wait(60);
        let (due, events) = (story.due_in_secs(), story.events.clone());
        assert!(due.is_some(), "{what}");
        story.set_back();
        assert_eq!((story.due_in_secs(), &story.events), (due, &events), "{what}");
        let by = story.account.due_by(story.now, Jitter::NONE).expect("due").at().millis_since(story.now) / 1000;
        assert!(Some(by) <= due, "{what}: {by}");
    }
}

#[test]
fn programs_wait_no_longer_for_a_failure_that_only_the_person_can_fix() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::InvalidGrant).wait(30);
    let since = story.account.state.trouble().expect("failing").since;
    story.set_back();
    let trouble = story.account.state.trouble().expect("failing").clone();
    assert_eq!(trouble.since, since, "the episode is the same");
    assert!(trouble.makes_programs_wait(story.now) && trouble.makes_programs_wait(story.now.plus_secs(29)));
    assert!(!trouble.makes_programs_wait(story.now.plus_secs(30)));
}

#[test]
fn a_refresh_in_progress_and_an_unusable_account_keep_their_state() {
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    let generation = story.account.next_generation();
    story.apply(Input::BeginRefresh);
    story.set_back();
    assert_eq!(story.account.open_generation(), Ok(generation));
    let mut story = Story::connected(Some(Renewal::RefreshToken));
    story.refresh_fails(Cause::ServerError);
    story.apply(Input::IntegrationUnusable { failure: Failure::new(Cause::IntegrationUnusable) }).set_back();
    assert_eq!(story.account.status(), Status::ValidationError);
    story.apply(Input::IntegrationUsable);
    assert_eq!(story.due_in_secs(), Some(30));
}
