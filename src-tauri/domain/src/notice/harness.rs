//! A harness for the policy: accounts that fail and recover, a person, and a desktop that shows one notification. After
//! every event it checks what must always hold.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::{
    failure::{Cause, Failure},
    schedule::Jitter,
};

pub(super) const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Something that happens. Accounts are letters; several letters fail or recover at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A refresh fails, and the access token has expired.
    Fail(&'static str, Cause),
    /// The access token is valid for so many seconds from now on.
    ValidFor(&'static str, i64),
    Recover(&'static str),
    /// They recover and fail again a moment later, before the next decision.
    FailAgain(&'static str, Cause),
    /// So many seconds pass: Relink retries, and the policy decides when it is due.
    Wait(i64),
    /// The machine sleeps: the clock jumps by so many seconds, without a decision.
    Sleep(i64),
    Offline,
    Online,
    /// The machine has woken, and the network needs so many seconds.
    Wake(i64),
    Pause,
    Resume,
    /// The person dismisses the displayed notification.
    Dismiss,
    /// The person snoozes the displayed notification for so many seconds.
    RemindLater(i64),
    /// The person snoozes these accounts from the window, displayed or not.
    RemindLaterOf(&'static str, i64),
    Unlock,
    /// Relink is started again with the stored history. The displayed notification is lost.
    Restart,
}

pub(super) struct Harness {
    history: NoticeHistory,
    situation: Situation,
    expiries: BTreeMap<AccountId, Timestamp>,
    pub now: Timestamp,
    pub displayed: Option<Notice>,
    shown_ids: BTreeSet<NoticeId>,
    /// What was shown: "900 replace AB".
    pub log: Vec<String>,
    notice_log: NoticeLog,
    pub last: Decision,
    /// What was announced: the episode, and whether the person was needed.
    announced: BTreeSet<(Episode, bool)>,
}

pub(super) fn id(letter: char) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(u128::from(letter)))
}

fn letter(id: AccountId) -> char {
    u32::try_from(id.as_uuid().as_u128()).ok().and_then(char::from_u32).expect("made from a letter")
}

fn letters(about: &[Subject]) -> String {
    about.iter().map(|subject| letter(subject.episode.account)).collect()
}

impl Harness {
    pub fn new() -> Self {
        let situation =
            Situation { failing: vec![], disabled_webhooks: vec![], network: Network::Online, paused: false };
        let last = decide(&NoticeHistory::default(), &situation, T0);
        Self {
            history: NoticeHistory::default(),
            situation,
            expiries: BTreeMap::new(),
            now: T0,
            displayed: None,
            shown_ids: BTreeSet::new(),
            log: vec![],
            notice_log: NoticeLog::default(),
            last,
            announced: BTreeSet::new(),
        }
    }

    pub fn reason(&self, letter: char) -> Option<NoticeReason> {
        self.last.reasons.iter().find(|(account, _)| *account == id(letter)).map(|(_, reason)| *reason)
    }

    pub fn failing(&self) -> &[FailingAccount] {
        &self.situation.failing
    }

    /// The entries of the log, oldest first: "AB:1" is resolved for one of its two accounts.
    pub fn logged(&self) -> Vec<String> {
        let entry = |entry: &LoggedNotice| match entry.resolved(self.failing(), &[]) {
            (_, 0) => letters(&entry.about),
            (_, resolved) => format!("{}:{resolved}", letters(&entry.about)),
        };
        self.notice_log.entries().iter().rev().map(entry).collect()
    }

    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Fail(letters, cause) => letters.chars().for_each(|letter| self.fail(letter, cause)),
            Event::ValidFor(letters, secs) => {
                for letter in letters.chars() {
                    self.expiries.insert(id(letter), self.now.plus_secs(secs));
                }
                for account in &mut self.situation.failing {
                    account.access_expires_at = self.expiries.get(&account.id).copied();
                }
            }
            Event::Recover(letters) => self.recover(letters),
            Event::FailAgain(letters, cause) => {
                self.recover(letters);
                self.now = self.now.plus_millis(1);
                letters.chars().for_each(|letter| self.fail(letter, cause));
            }
            Event::Wait(secs) => self.wait_until(self.now.plus_secs(secs)),
            Event::Sleep(secs) => {
                self.now = self.now.plus_secs(secs);
                return;
            }
            Event::Offline => {
                self.situation.network = Network::Offline;
                for FailingAccount { trouble, .. } in &mut self.situation.failing {
                    trouble.online_millis = trouble.online_millis_by(self.now);
                    trouble.online_since = None;
                }
            }
            Event::Online => self.situation.network = Network::Online,
            Event::Wake(secs) => {
                self.situation.network = Network::JustWoken { settled_at: self.now.plus_secs(secs) };
            }
            Event::Pause => {
                self.situation.paused = true;
                // What the pause withdraws may be announced again.
                self.allow_again(&self.displayed.as_ref().map(Notice::episodes).unwrap_or_default());
            }
            Event::Resume => self.situation.paused = false,
            Event::Dismiss => {
                if let Some(notice) = self.displayed.take() {
                    self.receive(DesktopSignal::Closed(notice.id));
                }
            }
            Event::RemindLater(secs) => {
                let about = self.displayed.as_ref().map(Notice::episodes).unwrap_or_default();
                self.remind_later(about, secs);
            }
            Event::RemindLaterOf(letters, secs) => {
                let named = self.situation.failing.iter().filter(|account| letters.contains(letter(account.id)));
                let about = named.map(FailingAccount::episode).collect();
                self.remind_later(about, secs);
            }
            Event::Unlock => self.receive(DesktopSignal::Unlocked),
            Event::Restart => {
                let stored = serde_json::to_string(&self.history).expect("it can be stored");
                self.history = serde_json::from_str(&stored).expect("and read");
                if let Some(notice) = self.displayed.take() {
                    // What was lost with the program may be announced again.
                    self.allow_again(&notice.episodes());
                }
                self.receive(DesktopSignal::Lost);
            }
        }
        self.decide();
    }

    fn receive(&mut self, signal: DesktopSignal) {
        self.history = self.history.clone().receive(signal);
    }

    fn remind_later(&mut self, about: Vec<Episode>, secs: i64) {
        self.allow_again(&about);
        self.receive(DesktopSignal::RemindLater { about, until: self.now.plus_secs(secs) });
    }

    /// These may be announced once more.
    fn allow_again(&mut self, about: &[Episode]) {
        self.announced.retain(|(episode, _)| !about.contains(episode));
    }

    fn recover(&mut self, letters: &str) {
        let (recovered, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.situation.failing)
            .into_iter()
            .partition(|account| letters.contains(letter(account.id)));
        self.situation.failing = rest;
        // An account that fails again is in another episode, even within the same millisecond.
        self.allow_again(&recovered.iter().map(FailingAccount::episode).collect::<Vec<_>>());
    }

    fn fail(&mut self, letter: char, cause: Cause) {
        let failure = Failure::new(cause);
        let account = id(letter);
        match self.situation.failing.iter_mut().find(|failing| failing.id == account) {
            Some(account) => {
                account.trouble = account.trouble.clone().failed_again(failure, false, self.now, Jitter::NONE);
            }
            None => self.situation.failing.push(FailingAccount {
                id: account,
                name: format!("Account {letter}"),
                integration: "GitHub".to_owned(),
                trouble: Trouble::begin(failure, false, self.now, Jitter::NONE),
                access_expires_at: self.expiries.get(&account).copied(),
                awaited_by: vec![],
            }),
        }
    }

    /// Time passes as in the engine: what is due happens in its order.
    fn wait_until(&mut self, end: Timestamp) {
        loop {
            let online = self.situation.network == Network::Online;
            let tries = self.situation.failing.iter().filter(|_| online).filter_map(|account| account.trouble.next_try);
            let Some(at) = tries.chain(self.last.next_decision_at).filter(|at| *at <= end).min() else { break };
            self.now = self.now.max(at);
            for FailingAccount { trouble, .. } in &mut self.situation.failing {
                if online && trouble.next_try.is_some_and(|at| at <= self.now) {
                    *trouble = trouble.clone().failed_again(trouble.failure.clone(), false, self.now, Jitter::NONE);
                }
            }
            self.decide();
        }
        self.now = end;
    }

    fn decide(&mut self) {
        let decision = decide(&self.history, &self.situation, self.now);
        self.check(&decision);
        for action in &decision.actions {
            self.carry_out(action);
        }
        self.history.clone_from(&decision.next);
        self.last = decision;
        self.check_displayed();
    }

    fn carry_out(&mut self, action: &Action) {
        let at = self.now.millis_since(T0) / 1000;
        match action {
            Action::Show { notice, replaces, alert } => {
                let displayed = self.displayed.as_ref().map(|notice| notice.id);
                assert_eq!(*replaces, displayed, "exactly the displayed notification is replaced");
                assert!(self.shown_ids.insert(notice.id), "each notification has an id of its own");
                let letters = letters(&notice.about);
                let verb = match (replaces, alert) {
                    (None, true) => "show",
                    (Some(_), true) => "replace",
                    (Some(_), false) => "update",
                    (None, false) => panic!("neither news nor a notification to replace"),
                };
                self.log.push(format!("{at} {verb} {letters}"));
                self.displayed = Some(notice.clone());
                self.notice_log.add(notice, self.now, true);
            }
            Action::Withdraw(id) => {
                assert_eq!(
                    self.displayed.take().map(|notice| notice.id),
                    Some(*id),
                    "only the displayed one is withdrawn"
                );
                self.log.push(format!("{at} withdraw"));
            }
        }
    }

    fn check(&mut self, decision: &Decision) {
        assert!(decision.actions.len() <= 1);
        let again = decide(&decision.next, &self.situation, self.now);
        assert_eq!((&again.actions, &again.next), (&vec![], &decision.next), "deciding again changes nothing");
        assert_eq!(again.next_decision_at, decision.next_decision_at);
        assert!(decision.next_decision_at.is_none_or(|at| at > self.now), "the next decision is later, not at once");

        let failing: BTreeSet<_> = self.situation.failing.iter().map(|account| account.id).collect();
        let with_reason: Vec<_> = decision
            .reasons
            .iter()
            .filter(|(_, reason)| *reason != NoticeReason::Recovered)
            .map(|(account, _)| *account)
            .collect();
        assert_eq!(with_reason.len(), failing.len(), "each failing account has one reason");
        assert_eq!(with_reason.into_iter().collect::<BTreeSet<_>>(), failing);

        for account in &self.situation.failing {
            let (_, reason) = decision.reasons.iter().find(|(id, _)| *id == account.id).expect("a reason");
            let needed = account.trouble.verdict() != Verdict::Retrying;
            if let NoticeReason::Announced(_) = reason {
                assert!(self.announced.insert((account.episode(), needed)), "announced twice: {reason:?} {account:?}");
                if !needed {
                    assert!(account.access_expires_at.is_none_or(|expires_at| expires_at <= self.now));
                    assert!(account.trouble.online_millis_by(self.now) >= OUTLASTED_MILLIS);
                    assert_ne!(self.situation.network, Network::Offline);
                }
            } else if needed && !self.announced.contains(&(account.episode(), true)) {
                let waits = matches!(reason, NoticeReason::Debounced { until } if until.millis_since(self.now) <= DEBOUNCE_MILLIS);
                let held_back = matches!(reason, NoticeReason::Paused | NoticeReason::Snoozed { .. });
                assert!(waits || held_back, "an account that needs the person is announced at once: {reason:?}");
            }
        }
    }

    /// Each entry tells something that no earlier one does, and only a displayed trouble is listed.
    fn check_log(&self) {
        let entries = self.notice_log.entries();
        for (at, entry) in entries.iter().enumerate() {
            let earlier = |subject: &Subject| entries[at + 1..].iter().any(|entry| entry.about.contains(subject));
            assert!(!entry.about.iter().all(earlier), "listed twice: {entry:?}");
        }
        for subject in self.displayed.iter().flat_map(|notice| &notice.about) {
            let listed =
                entries.iter().find(|entry| entry.about.contains(subject)).expect("what is displayed is listed");
            let (about, resolved) = listed.resolved(self.failing(), &[]);
            assert!(resolved < about, "{listed:?} is displayed and counts as resolved");
        }
    }

    fn check_displayed(&self) {
        let displayed = self.displayed.as_ref().map(|notice| notice.id);
        assert_eq!(self.history.displayed(), displayed, "the policy knows what is displayed");
        self.check_log();
        let Some(notice) = &self.displayed else { return };
        assert!(!self.situation.paused);
        assert!(!notice.about.is_empty());
        for Subject { episode, .. } in &notice.about {
            assert!(
                self.situation.failing.iter().any(|account| account.episode() == *episode),
                "{episode:?} is displayed, but no longer failing"
            );
            let reason = self.reason(letter(episode.account));
            assert!(
                matches!(
                    reason,
                    Some(NoticeReason::Announced(_) | NoticeReason::Displayed { .. } | NoticeReason::Debounced { .. })
                ),
                "{episode:?} is displayed, but {reason:?}"
            );
        }
        assert!(!notice.title.is_empty() && !notice.body.contains('{'));
    }
}
