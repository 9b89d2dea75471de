//! The next page of a list, fetched while the batch before it is on its way.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use futures_util::future::{MaybeDone, maybe_done};

use crate::{
    fetch::{Fetched, PageKey},
    walk::NodeError,
};

type Found = Result<Option<Fetched>, NodeError>;
type Fetching<'a> = Pin<Box<dyn Future<Output = Found> + Send + 'a>>;

/// At most one page, which nothing has seen yet: to drop it loses nothing.
#[derive(Default)]
pub(crate) struct Ahead<'a>(Option<(PageKey, MaybeDone<Fetching<'a>>)>);

impl<'a> Ahead<'a> {
    /// Begins to fetch a page, in place of any other one. It gets on as far as [`Ahead::beside`] is awaited.
    pub(crate) fn begin(&mut self, key: PageKey, fetching: impl Future<Output = Found> + Send + 'a) {
        // After a wait for a destination it is there already.
        if self.0.as_ref().is_none_or(|(found, _)| *found != key) {
            self.0 = Some((key, maybe_done(Box::pin(fetching) as Fetching<'a>)));
        }
    }

    /// Waits for the page. None: it isn't the one that is fetched.
    pub(crate) async fn take(&mut self, key: PageKey) -> Option<Found> {
        let (_, mut fetching) = self.0.take_if(|(found, _)| *found == key)?;
        (&mut fetching).await;
        Pin::new(&mut fetching).take_output()
    }

    /// Does something else, which waits for no page.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Some((_, fetching)) = &mut self.0 {
                let _: Poll<()> = Pin::new(fetching).poll(context);
            }
            work.as_mut().poll(context)
        })
        .await
    }
}
