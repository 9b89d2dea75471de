//! When disabled webhooks are announced, as a table: after each event, what the desktop does.

use uuid::Uuid;

use super::{DesktopSignal, DisabledWebhook, Disabling, Network, NoticeHistory, NoticeLog, Situation, decide};
use crate::{Timestamp, WebhookId};
use Event::{Disable, Dismiss, Pause, Restart, Resume, Unpause};

/// Webhooks are letters.
#[derive(Debug, Clone, Copy)]
enum Event {
    Disable(char),
    /// The person resumes or removes it.
    Resume(char),
    Dismiss,
    Pause,
    Unpause,
    /// Relink is started again. The displayed notification is lost.
    Restart,
}

fn webhook(letter: char, at: i64) -> DisabledWebhook {
    let webhook = WebhookId::from_uuid(Uuid::from_u128(u128::from(letter)));
    DisabledWebhook {
        disabling: Disabling { webhook, at: Timestamp::from_millis(at) },
        host: format!("{letter}.example"),
    }
}

/// What the desktop did: "show AB", "update B" without an alert, "withdraw".
fn shown(events: &[Event]) -> Vec<String> {
    let mut history = NoticeHistory::default();
    let mut situation =
        Situation { failing: vec![], disabled_webhooks: vec![], network: Network::Online, paused: false };
    let mut seen = vec![];
    let mut displayed = None;
    for (at, event) in (1..).zip(events) {
        match *event {
            Disable(letter) => situation.disabled_webhooks.push(webhook(letter, at)),
            Resume(letter) => situation.disabled_webhooks.retain(|it| it.host != webhook(letter, 0).host),
            Dismiss => history = history.receive(DesktopSignal::Closed(displayed.take().expect("displayed"))),
            Pause => situation.paused = true,
            Unpause => situation.paused = false,
            Restart => {
                let stored = serde_json::to_string(&history).expect("JSON");
                history = serde_json::from_str(&stored).expect("as it was");
                history = history.receive(DesktopSignal::Lost);
            }
        }
        let decision = decide(&history, &situation, Timestamp::from_millis(at));
        for action in &decision.actions {
            seen.push(match action {
                super::Action::Show { notice, replaces, alert } => {
                    assert!(replaces.is_none() || *replaces == displayed, "{notice:?}");
                    displayed = Some(notice.id);
                    let about: String = notice.webhooks.iter().map(|it| letter(*it)).collect();
                    format!("{} {about}", if *alert { "show" } else { "update" })
                }
                super::Action::Withdraw(id) => {
                    assert_eq!(Some(*id), displayed.take());
                    "withdraw".to_owned()
                }
            });
        }
        let again = decide(&decision.next, &situation, Timestamp::from_millis(at));
        assert_eq!((&again.next, again.actions.len()), (&decision.next, 0), "deciding again changes nothing");
        history = decision.next;
    }
    seen
}

fn letter(it: Disabling) -> char {
    u32::try_from(it.webhook.as_uuid().as_u128()).ok().and_then(char::from_u32).expect("made from a letter")
}

#[test]
fn the_table_holds() {
    for (name, events, expected) in [
        ("announced once", &[Disable('A'), Dismiss, Disable('B')][..], &["show A", "show B"][..]),
        ("another one joins", &[Disable('A'), Disable('B')], &["show A", "show AB"]),
        ("a resumed one leaves", &[Disable('A'), Disable('B'), Resume('A')], &["show A", "show AB", "update B"]),
        ("the last one leaves", &[Disable('A'), Resume('A')], &["show A", "withdraw"]),
        ("resumed after it was dismissed", &[Disable('A'), Dismiss, Resume('A')], &["show A"]),
        ("disabled again", &[Disable('A'), Resume('A'), Disable('A')], &["show A", "withdraw", "show A"]),
        ("paused", &[Pause, Disable('A'), Disable('B')], &[]),
        ("after a pause", &[Pause, Disable('A'), Unpause], &["show A"]),
        ("a pause hides it", &[Disable('A'), Pause, Disable('B'), Unpause], &["show A", "withdraw", "show AB"]),
        ("dismissed before a pause", &[Disable('A'), Dismiss, Pause, Unpause], &["show A"]),
        ("a restart", &[Disable('A'), Restart], &["show A", "show A"]),
        ("a restart after it was dismissed", &[Disable('A'), Dismiss, Restart], &["show A"]),
    ] {
        assert_eq!(shown(events), expected, "{name}");
    }
}

#[test]
fn it_names_hosts_and_is_listed_until_the_webhooks_are_resumed() {
    let one = [webhook('a', 1)];
    let two = [webhook('a', 1), webhook('b', 2)];
    let show = |disabled: &[DisabledWebhook]| {
        let situation = Situation {
            failing: vec![],
            disabled_webhooks: disabled.to_vec(),
            network: Network::Offline,
            paused: false,
        };
        let decision = decide(&NoticeHistory::default(), &situation, Timestamp::from_millis(2));
        match decision.actions.as_slice() {
            [super::Action::Show { notice, .. }] => notice.clone(),
            other => panic!("{other:?}"),
        }
    };
    let notice = show(&one);
    assert_eq!(notice.title, "Relink disabled a webhook: a.example");
    assert_eq!((notice.opens, notice.buttons.len()), (super::Opens::Webhooks, 0));
    let joint = show(&two);
    assert_eq!(joint.title, "Relink disabled 2 webhooks");
    assert!(joint.body.starts_with("a.example and b.example. "), "{}", joint.body);

    let mut log = NoticeLog::default();
    for shown in [&notice, &notice, &joint] {
        log.add(shown, Timestamp::from_millis(3), true);
    }
    let resolved = |disabled: &[DisabledWebhook]| -> Vec<_> {
        log.entries().iter().map(|entry| entry.resolved(&[], disabled)).collect()
    };
    assert_eq!(resolved(&two), [(2, 0), (1, 0)]);
    assert_eq!(resolved(&[webhook('a', 9), webhook('b', 2)]), [(2, 1), (1, 1)], "disabled again is another matter");
    assert_eq!(resolved(&[]), [(2, 2), (1, 1)]);
}
