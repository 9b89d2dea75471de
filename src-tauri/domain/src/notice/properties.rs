//! What holds after any sequence of events. The harness checks it at every decision.

use proptest::prelude::*;

use super::harness::*;
use crate::failure::Cause;

fn events() -> impl Strategy<Value = Event> {
    let accounts = || prop::sample::select(vec!["A", "B", "C", "D", "AB", "BCD", "ABCD"]);
    let cause = prop::sample::select(Cause::ALL);
    let transient = prop::sample::select(vec![Cause::Dns, Cause::Timeout, Cause::ServerError, Cause::UnknownRefusal]);
    prop_oneof![
        4 => (accounts(), cause).prop_map(|(accounts, cause)| Event::Fail(accounts, cause)),
        3 => (accounts(), transient).prop_map(|(accounts, cause)| Event::Fail(accounts, cause)),
        3 => accounts().prop_map(Event::Recover),
        1 => (accounts(), prop::sample::select(Cause::ALL)).prop_map(|(accounts, cause)| Event::FailAgain(accounts, cause)),
        6 => (0_i64..2000).prop_map(Event::Wait),
        3 => (0_i64..4).prop_map(Event::Wait),
        1 => (-90_000_i64..90_000).prop_map(Event::Sleep),
        1 => (accounts(), 0_i64..4000).prop_map(|(accounts, secs)| Event::ValidFor(accounts, secs)),
        1 => Just(Event::Offline),
        2 => Just(Event::Online),
        1 => (0_i64..60).prop_map(Event::Wake),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
        2 => Just(Event::Dismiss),
        2 => (-10_i64..5000).prop_map(Event::RemindLater),
        1 => (accounts(), 0_i64..5000).prop_map(|(accounts, secs)| Event::RemindLaterOf(accounts, secs)),
        1 => Just(Event::Unlock),
        1 => Just(Event::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Never two notifications at a time; nothing announced twice; no recovered account on display; nothing withdrawn that
    /// isn't displayed; an account that needs the person is announced within the debounce; deciding again changes nothing.
    #[test]
    fn the_rules_hold_after_any_sequence_of_events(history in prop::collection::vec(events(), 0..40)) {
        let mut harness = Harness::new();
        for event in history {
            harness.handle(event);
        }
    }

    /// Once everything works, nothing is displayed. Once a trouble has lasted long enough, it is displayed.
    #[test]
    fn every_trouble_is_announced_and_every_recovery_withdrawn(history in prop::collection::vec(events(), 0..40), cause in prop::sample::select(Cause::ALL)) {
        let mut harness = Harness::new();
        for event in history {
            harness.handle(event);
        }
        for event in [Event::Online, Event::Resume, Event::Recover("ABCD")] {
            harness.handle(event);
        }
        prop_assert_eq!(harness.displayed.as_ref(), None);
        for event in [Event::ValidFor("A", 0), Event::Fail("A", cause), Event::Wait(2 * 60 * 60)] {
            harness.handle(event);
        }
        prop_assert_eq!(harness.displayed.as_ref().map(|notice| notice.about[0].episode.account), Some(id('A')));
    }
}
