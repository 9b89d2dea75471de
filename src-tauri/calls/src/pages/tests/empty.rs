//! Pages without records.

use relink_domain::integration::resources::{CursorPagination, Pagination};

use super::provider::*;

/// Twelve hidden records, and one that isn't.
fn hidden(kind: Kind, count: usize) -> Provider {
    let mut list = vec![None; count];
    list.push(Some(7));
    Provider::new(kind, list, 100)
}

#[test]
fn empty_pages_are_skipped() {
    let provider = hidden(Kind::Cursor, 9);
    let first = page(&Kind::Cursor.pagination(None), &provider, asked(Some(1), None, None)).expect("a page");
    assert_eq!((ids(&first).as_slice(), first.is_partial, provider.seen().len()), ([7].as_slice(), false, 10));
}

#[test]
fn after_ten_empty_pages_the_answer_says_that_it_is_partial() {
    let provider = hidden(Kind::Cursor, 12);
    let first = page(&Kind::Cursor.pagination(None), &provider, asked(Some(1), None, None)).expect("a page");
    assert!(ids(&first).is_empty());
    assert_eq!((first.next_cursor, first.is_partial, provider.seen().len()), (None, true, 10));
}

#[test]
fn backward_empty_pages_are_skipped_backward() {
    let mut list = vec![Some(1), None, None, None];
    list.push(Some(2));
    let provider = Provider::new(Kind::Cursor, list, 100);
    let pagination = Kind::Cursor.pagination(None);
    let pages = forward(&pagination, &provider, Some(1));
    let earlier = back(&pagination, &provider, Some(1), &pages[1]);
    assert_eq!(earlier.iter().map(ids).collect::<Vec<_>>(), [[1]]);
}

#[test]
fn an_empty_page_is_the_end_where_the_definition_says_so() {
    let pagination = CursorPagination { ends_at_empty_page: true, ..cursor() };
    let provider = hidden(Kind::Cursor, 1);
    let first = page(&Pagination::Cursor(Box::new(pagination)), &provider, asked(Some(1), None, None)).expect("a page");
    assert_eq!((first.next_cursor, first.is_partial, provider.seen().len()), (None, false, 1));
}

#[test]
fn an_empty_list_is_one_empty_page() {
    for kind in [Kind::Page { start: 1 }, Kind::Offset, Kind::Cursor, Kind::LinkHeader, Kind::Range] {
        let provider = Provider::of(kind, 0, 100);
        let pages = forward(&kind.pagination(None), &provider, Some(3));
        assert_eq!((pages.len(), provider.seen().len(), pages[0].is_partial), (1, 1, false), "{kind:?}");
        assert_eq!((&pages[0].next_cursor, &pages[0].prev_cursor), (&None, &None), "{kind:?}");
    }
}
