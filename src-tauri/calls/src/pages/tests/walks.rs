//! Whole walks over lists, forward and back.

use proptest::prelude::*;

use super::provider::*;

const KINDS: [Kind; 8] = [
    Kind::Page { start: 0 },
    Kind::Page { start: 1 },
    Kind::Offset,
    Kind::Cursor,
    Kind::LinkInBody,
    Kind::LinkHeader,
    Kind::Range,
    Kind::RangeOfUnknownLength,
];

#[test]
fn seven_records_in_pages_of_three() {
    for (kind, requests) in [
        (
            Kind::Page { start: 1 },
            ["/items?q=x&limit=3&page=1", "/items?q=x&limit=3&page=2", "/items?q=x&limit=3&page=3"].as_slice(),
        ),
        (Kind::Offset, &["/items?q=x&limit=3&offset=0", "/items?q=x&limit=3&offset=3", "/items?q=x&limit=3&offset=6"]),
        (Kind::Cursor, &["/items?q=x&limit=3", "/items?q=x&cursor=c3&limit=3", "/items?q=x&cursor=c6&limit=3"]),
        (Kind::LinkInBody, &["/items?q=x&limit=3", "/items?limit=3&from=3", "/items?limit=3&from=6"]),
        (Kind::LinkHeader, &["/items?q=x&limit=3", "/items?limit=3&from=3", "/items?limit=3&from=6"]),
        (Kind::Range, &["/items?q=x range: items=0-2", "/items?q=x range: items=3-5", "/items?q=x range: items=6-8"]),
    ] {
        let provider = Provider::of(kind, 7, 100);
        let pagination = kind.pagination(Some(100));
        let pages = forward(&pagination, &provider, Some(3));
        assert_eq!(pages.iter().map(ids).collect::<Vec<_>>(), [vec![0, 1, 2], vec![3, 4, 5], vec![6]], "{kind:?}");
        assert_eq!(provider.seen(), requests, "{kind:?}");
        assert_eq!(pages[0].prev_cursor, None, "{kind:?}");
        let earlier = back(&pagination, &provider, Some(3), &pages[2]);
        assert_eq!(earlier.iter().map(ids).collect::<Vec<_>>(), [[3, 4, 5], [0, 1, 2]], "{kind:?}");
        // And forward again from a page on the way back.
        let again = page(&pagination, &provider, asked(Some(3), earlier[0].next_cursor.as_deref(), None));
        assert_eq!(ids(&again.expect("a page")), [6], "{kind:?}");
    }
}

#[test]
fn the_provider_decides_how_long_a_page_is_if_nobody_else_does() {
    for kind in KINDS {
        let pages = forward(&kind.pagination(None), &Provider::of(kind, 7, 100), None);
        let shown: Vec<_> = pages.iter().map(ids).filter(|ids| !ids.is_empty()).collect();
        assert_eq!(shown, [vec![0, 1, 2], vec![3, 4, 5], vec![6]], "{kind:?}");
    }
}

#[test]
fn a_short_page_of_an_offset_is_the_end_only_with_a_maximum() {
    // The provider gives two records, whatever is asked for, and the definition doesn't say so.
    for kind in [Kind::Offset, Kind::RangeOfUnknownLength] {
        let provider = Provider::of(kind, 5, 2);
        let pages = forward(&kind.pagination(None), &provider, Some(4));
        assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), [0, 1, 2, 3, 4], "{kind:?}");
        let earlier = back(&kind.pagination(None), &provider, Some(4), &pages[2]);
        assert_eq!(earlier.iter().map(ids).collect::<Vec<_>>(), [[2, 3], [0, 1]], "{kind:?}");
    }
    let provider = Provider::of(Kind::Offset, 5, 2);
    let pages = forward(&Kind::Offset.pagination(Some(2)), &provider, Some(4));
    assert_eq!((pages.len(), provider.seen().len()), (3, 3));
}

#[test]
fn a_page_on_the_way_back_ends_where_the_next_one_begins() {
    for kind in [Kind::Offset, Kind::Range, Kind::RangeOfUnknownLength] {
        let provider = Provider::of(kind, 9, 100);
        let pagination = kind.pagination(Some(100));
        let pages = forward(&pagination, &provider, Some(2));
        // With another limit than on the way here.
        let earlier =
            page(&pagination, &provider, asked(Some(5), None, pages[2].prev_cursor.as_deref())).expect("a page");
        assert_eq!(ids(&earlier), [2, 3], "{kind:?}");
        let next = page(&pagination, &provider, asked(Some(5), earlier.next_cursor.as_deref(), None)).expect("a page");
        assert_eq!(ids(&next), [4, 5, 6, 7, 8], "{kind:?}");
    }
}

proptest! {
    /// A walk forward gives each record once and in order, and so does the walk back from its end.
    #[test]
    fn each_record_comes_once(
        kind in proptest::sample::select(&KINDS),
        length in 0u32..40,
        limit in proptest::option::of(1u32..12),
        max in proptest::option::of(1u32..8),
    ) {
        let cap = max.map_or(usize::MAX, |max| max as usize);
        let provider = Provider::of(kind, length, cap);
        let pagination = kind.pagination(max);
        let pages = forward(&pagination, &provider, limit);
        let found: Vec<u64> = pages.iter().flat_map(ids).collect();
        prop_assert_eq!(&found, &(0..u64::from(length)).collect::<Vec<_>>());
        let last = pages.last().expect("a page");
        let mut all: Vec<Vec<u64>> = back(&pagination, &provider, limit, last).iter().map(ids).collect();
        all.reverse();
        all.push(ids(last));
        prop_assert_eq!(all.concat(), found);
    }

    /// Also with pages whose records a filter hides, as long as there aren't too many of them.
    #[test]
    fn no_page_with_a_cursor_is_empty(
        kind in proptest::sample::select(&[Kind::Cursor, Kind::LinkInBody, Kind::LinkHeader][..]),
        hidden in proptest::collection::vec(0usize..9, 0..12),
        limit in 1u32..5,
    ) {
        let mut list = Vec::new();
        for (id, hidden) in (0..).zip(&hidden) {
            list.extend(std::iter::repeat_n(None, *hidden));
            list.push(Some(id));
        }
        let provider = Provider::new(kind, list, 100);
        let pages = forward(&kind.pagination(None), &provider, Some(limit));
        let found: Vec<u64> = pages.iter().flat_map(ids).collect();
        prop_assert_eq!(found, (0..hidden.len() as u64).collect::<Vec<_>>());
        for page in &pages {
            prop_assert!(!ids(page).is_empty() || page.next_cursor.is_none());
            prop_assert!(!page.is_partial);
        }
    }
}
