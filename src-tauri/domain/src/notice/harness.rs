//! A harness to try the policy on: accounts that fail and recover, a person, and a desktop that shows one notification.
//! Whatever happens on it, it checks what must always hold.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::{
    failure::{Cause, Failure},
    schedule::Jitter,
};

pub(super) const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Something that happens. Accounts are letters; several letters fail or recover in the same instant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Do {
    /// A refresh fails, whose access token has ended.
    Fail(&'static str, Cause),
    /// From now on its access token has so many seconds.
    Lives(&'static str, i64),
    Recover(&'static str),
    /// They recover, and fail again a moment later, before anybody looks.
    FailAnew(&'static str, Cause),
    /// So many seconds pass: Relink tries again by itself, and the policy is asked when it wants to be.
    Wait(i64),
    /// The clock jumps by so many seconds, and nobody is asked meanwhile: the machine sleeps.
    Sleep(i64),
    Offline,
    Online,
    /// Awake, with so many seconds for the network.
    Wake(i64),
    Pause,
    Resume,
    /// The person dismisses what is up.
    Close,
    /// The person wants to be reminded in so many seconds of all that is up.
    RemindLater(i64),
    /// The same from the window, of these accounts, up or not.
    RemindLaterOf(&'static str, i64),
    Unlock,
    /// Relink is started again with what it had stored; what it had up is gone.
    Restart,
}

pub(super) struct Harness {
    shown: NoticeHistory,
    situation: Situation,
    ends: BTreeMap<AccountId, Timestamp>,
    pub now: Timestamp,
    pub up: Option<Notice>,
    /// What was seen: "900 join AB".
    pub log: Vec<String>,
    pub last: Decision,
    /// What was told, by episode and whether the person was needed.
    told: BTreeSet<(Episode, bool)>,
}

pub(super) fn id(letter: char) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(u128::from(letter)))
}

fn letter(id: AccountId) -> char {
    u32::try_from(id.as_uuid().as_u128()).ok().and_then(char::from_u32).expect("made from a letter")
}

impl Harness {
    pub fn new() -> Self {
        let situation = Situation { failing: vec![], network: Network::Online, paused: false };
        let last = decide(&NoticeHistory::default(), &situation, T0);
        Self {
            shown: NoticeHistory::default(),
            situation,
            ends: BTreeMap::new(),
            now: T0,
            up: None,
            log: vec![],
            last,
            told: BTreeSet::new(),
        }
    }

    pub fn why(&self, letter: char) -> Option<NoticeReason> {
        self.last.reasons.iter().find(|(account, _)| *account == id(letter)).map(|(_, why)| *why)
    }

    pub fn happens(&mut self, what: Do) {
        match what {
            Do::Fail(letters, cause) => letters.chars().for_each(|letter| self.fail(letter, cause)),
            Do::Lives(letters, secs) => {
                for letter in letters.chars() {
                    self.ends.insert(id(letter), self.now.plus_secs(secs));
                }
                for troubled in &mut self.situation.failing {
                    troubled.access_ends = self.ends.get(&troubled.id).copied();
                }
            }
            Do::Recover(letters) => self.recover(letters),
            Do::FailAnew(letters, cause) => {
                self.recover(letters);
                self.now = self.now.plus_millis(1);
                letters.chars().for_each(|letter| self.fail(letter, cause));
            }
            Do::Wait(secs) => self.wait_until(self.now.plus_secs(secs)),
            Do::Sleep(secs) => {
                self.now = self.now.plus_secs(secs);
                return;
            }
            Do::Offline => {
                self.situation.network = Network::Offline;
                for FailingAccount { trouble, .. } in &mut self.situation.failing {
                    trouble.online_millis = trouble.online_millis_by(self.now);
                    trouble.online_since = None;
                }
            }
            Do::Online => self.situation.network = Network::Online,
            Do::Wake(secs) => {
                self.situation.network = Network::JustWoken { settled_at: self.now.plus_secs(secs) };
            }
            Do::Pause => {
                self.situation.paused = true;
                // What the pause takes down may come back.
                self.forgive(&self.up.as_ref().map(|up| up.about.clone()).unwrap_or_default());
            }
            Do::Resume => self.situation.paused = false,
            Do::Close => {
                if let Some(up) = self.up.take() {
                    self.hears(DesktopSignal::Closed(up.id));
                }
            }
            Do::RemindLater(secs) => {
                let about = self.up.as_ref().map(|up| up.about.clone()).unwrap_or_default();
                self.remind_later(about, secs);
            }
            Do::RemindLaterOf(letters, secs) => {
                let named = self.situation.failing.iter().filter(|troubled| letters.contains(letter(troubled.id)));
                let about = named.map(FailingAccount::episode).collect();
                self.remind_later(about, secs);
            }
            Do::Unlock => self.hears(DesktopSignal::Unlocked),
            Do::Restart => {
                let stored = serde_json::to_string(&self.shown).expect("it can be stored");
                self.shown = serde_json::from_str(&stored).expect("and read");
                if let Some(up) = self.up.take() {
                    // What went with the program may come back.
                    self.forgive(&up.about);
                }
                self.hears(DesktopSignal::Lost);
            }
        }
        self.look();
    }

    fn hears(&mut self, received: DesktopSignal) {
        self.shown = self.shown.clone().receive(received);
    }

    fn remind_later(&mut self, about: Vec<Episode>, secs: i64) {
        self.forgive(&about);
        self.hears(DesktopSignal::RemindLater { about, until: self.now.plus_secs(secs) });
    }

    /// These may be told once more.
    fn forgive(&mut self, about: &[Episode]) {
        self.told.retain(|(episode, _)| !about.contains(episode));
    }

    fn recover(&mut self, letters: &str) {
        let (recovered, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.situation.failing)
            .into_iter()
            .partition(|troubled| letters.contains(letter(troubled.id)));
        self.situation.failing = rest;
        // Whoever fails anew is in another episode, even within the same millisecond.
        self.forgive(&recovered.iter().map(FailingAccount::episode).collect::<Vec<_>>());
    }

    fn fail(&mut self, letter: char, cause: Cause) {
        let failure = Failure::new(cause);
        let account = id(letter);
        match self.situation.failing.iter_mut().find(|troubled| troubled.id == account) {
            Some(troubled) => {
                troubled.trouble = troubled.trouble.clone().failed_again(failure, false, self.now, Jitter::NONE)
            }
            None => self.situation.failing.push(FailingAccount {
                id: account,
                name: format!("Account {letter}"),
                integration: "GitHub".to_owned(),
                trouble: Trouble::begin(failure, false, self.now, Jitter::NONE),
                access_ends: self.ends.get(&account).copied(),
            }),
        }
    }

    /// Time passes as it does in the engine: whatever is due comes in its order.
    fn wait_until(&mut self, end: Timestamp) {
        loop {
            let online = self.situation.network == Network::Online;
            let tries = self.situation.failing.iter().filter(|_| online).filter_map(|one| one.trouble.next_try);
            let Some(at) = tries.chain(self.last.next_decision_at).filter(|at| *at <= end).min() else { break };
            self.now = self.now.max(at);
            for FailingAccount { trouble, .. } in &mut self.situation.failing {
                if online && trouble.next_try.is_some_and(|at| at <= self.now) {
                    *trouble = trouble.clone().failed_again(trouble.failure.clone(), false, self.now, Jitter::NONE);
                }
            }
            self.look();
        }
        self.now = end;
    }

    fn look(&mut self) {
        let decision = decide(&self.shown, &self.situation, self.now);
        self.check(&decision);
        for action in &decision.actions {
            self.carry_out(action);
        }
        self.shown.clone_from(&decision.next);
        self.last = decision;
        self.check_what_is_up();
    }

    fn carry_out(&mut self, action: &Action) {
        let at = self.now.millis_since(T0) / 1000;
        match action {
            Action::Show { notice, replaces, alert } => {
                assert_eq!(*replaces, self.up.as_ref().map(|up| up.id), "what is up is replaced, nothing else");
                let letters: String = notice.about.iter().map(|episode| letter(episode.account)).collect();
                let verb = match (replaces, alert) {
                    (None, true) => "show",
                    (Some(_), true) => "join",
                    (Some(_), false) => "keep",
                    (None, false) => panic!("a notification without news and without one to replace"),
                };
                self.log.push(format!("{at} {verb} {letters}"));
                self.up = Some(notice.clone());
            }
            Action::Withdraw(id) => {
                assert_eq!(self.up.take().map(|up| up.id), Some(*id), "only what is up is withdrawn");
                self.log.push(format!("{at} withdraw"));
            }
        }
    }

    fn check(&mut self, decision: &Decision) {
        assert!(decision.actions.len() <= 1);
        let again = decide(&decision.next, &self.situation, self.now);
        assert_eq!((&again.actions, &again.next), (&vec![], &decision.next), "deciding again changes nothing");
        assert_eq!(again.next_decision_at, decision.next_decision_at);
        assert!(decision.next_decision_at.is_none_or(|at| at > self.now), "it is asked again later, not at once");

        let troubled: BTreeSet<_> = self.situation.failing.iter().map(|troubled| troubled.id).collect();
        let explained: Vec<_> = decision
            .reasons
            .iter()
            .filter(|(_, why)| *why != NoticeReason::Recovered)
            .map(|(account, _)| *account)
            .collect();
        assert_eq!(explained.len(), troubled.len(), "each troubled account is explained once");
        assert_eq!(explained.into_iter().collect::<BTreeSet<_>>(), troubled);

        for troubled in &self.situation.failing {
            let (_, why) = decision.reasons.iter().find(|(account, _)| *account == troubled.id).expect("explained");
            let needed = troubled.trouble.verdict() != Verdict::Retrying;
            if let NoticeReason::Shown(_) = why {
                assert!(self.told.insert((troubled.episode(), needed)), "told twice: {why:?} {troubled:?}");
                if !needed {
                    assert!(troubled.access_ends.is_none_or(|ends| ends <= self.now));
                    assert!(troubled.trouble.online_millis_by(self.now) >= OUTLASTED_MILLIS);
                    assert_ne!(self.situation.network, Network::Offline);
                }
            } else if needed && !self.told.contains(&(troubled.episode(), true)) {
                let waits =
                    matches!(why, NoticeReason::Gathering { until } if until.millis_since(self.now) <= GATHER_MILLIS);
                let held = matches!(why, NoticeReason::Paused | NoticeReason::RemindLater { .. });
                assert!(waits || held, "whoever needs the person is told at once: {why:?}");
            }
        }
    }

    fn check_what_is_up(&self) {
        assert_eq!(self.shown.up(), self.up.as_ref().map(|up| up.id), "the policy knows what is up");
        let Some(up) = &self.up else { return };
        assert!(!self.situation.paused);
        assert!(!up.about.is_empty());
        for episode in &up.about {
            assert!(
                self.situation.failing.iter().any(|troubled| troubled.episode() == *episode),
                "{episode:?} is up, but no longer in trouble"
            );
            let why = self.why(letter(episode.account));
            assert!(
                matches!(
                    why,
                    Some(NoticeReason::Shown(_) | NoticeReason::OnDisplay { .. } | NoticeReason::Gathering { .. })
                ),
                "{episode:?} is up, but {why:?}"
            );
        }
        assert!(!up.title.is_empty() && !up.body.contains('{'));
    }
}
