//! What holds whatever happens in whatever order. The harness checks it at every look.

use proptest::prelude::*;

use super::harness::*;
use crate::failure::Cause;

fn anything() -> impl Strategy<Value = Do> {
    let who = || prop::sample::select(vec!["A", "B", "C", "D", "AB", "BCD", "ABCD"]);
    let cause = prop::sample::select(Cause::ALL);
    let passing = prop::sample::select(vec![Cause::Dns, Cause::Timeout, Cause::ServerError, Cause::UnknownRefusal]);
    prop_oneof![
        4 => (who(), cause).prop_map(|(who, cause)| Do::Fail(who, cause)),
        3 => (who(), passing).prop_map(|(who, cause)| Do::Fail(who, cause)),
        3 => who().prop_map(Do::Recover),
        1 => (who(), prop::sample::select(Cause::ALL)).prop_map(|(who, cause)| Do::FailAnew(who, cause)),
        6 => (0_i64..2000).prop_map(Do::Wait),
        3 => (0_i64..4).prop_map(Do::Wait),
        1 => (-90_000_i64..90_000).prop_map(Do::Sleep),
        1 => (who(), 0_i64..4000).prop_map(|(who, secs)| Do::Lives(who, secs)),
        1 => Just(Do::Offline),
        2 => Just(Do::Online),
        1 => (0_i64..60).prop_map(Do::Wake),
        1 => Just(Do::Pause),
        2 => Just(Do::Resume),
        2 => Just(Do::Close),
        2 => (-10_i64..5000).prop_map(Do::RemindLater),
        1 => (who(), 0_i64..5000).prop_map(|(who, secs)| Do::RemindLaterOf(who, secs)),
        1 => Just(Do::Unlock),
        1 => Just(Do::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Never two up; nothing told twice; nobody up who recovered; nothing withdrawn that isn't up; whoever needs the
    /// person is told within the gathering time; deciding again changes nothing.
    #[test]
    fn no_history_breaks_a_rule(history in prop::collection::vec(anything(), 0..40)) {
        let mut harness = Harness::new();
        for what in history {
            harness.happens(what);
        }
    }

    /// Once everything works, nothing is up; and once a trouble has been left alone long enough, it was told.
    #[test]
    fn every_history_ends_well(history in prop::collection::vec(anything(), 0..40), cause in prop::sample::select(Cause::ALL)) {
        let mut harness = Harness::new();
        for what in history {
            harness.happens(what);
        }
        for what in [Do::Online, Do::Resume, Do::Recover("ABCD")] {
            harness.happens(what);
        }
        prop_assert_eq!(harness.up.as_ref(), None);
        for what in [Do::Lives("A", 0), Do::Fail("A", cause), Do::Wait(2 * 60 * 60)] {
            harness.happens(what);
        }
        prop_assert_eq!(harness.up.as_ref().map(|up| up.about[0].account), Some(id('A')));
    }
}
