//! The end of what was begun for a caller or an account that may not go on: a revoked token, a deleted account.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use relink_calls::{Body, BoxError};
use relink_domain::{AccountId, caller::Caller};

use crate::ApiState;

/// A token that expires ends what it has begun by then.
const EXPIRY_POLL_INTERVAL: Duration = Duration::from_secs(30);
/// A response that is known to be shorter has arrived before anybody could withdraw anything.
const MAX_UNWATCHED: u64 = 64 << 10;

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Withdrawn {
    #[error("the API token was revoked or has expired")]
    Token,
    #[error("the account was deleted")]
    Account,
    #[error("Relink is stopping")]
    Stopping,
}

/// Waits until the caller's token has ended, or the account was deleted. Reauthorizing the account, or a provider that refuses its
/// credential, ends nothing that runs.
pub(crate) async fn withdrawn(api: ApiState, caller: Caller, account: AccountId) -> Withdrawn {
    // Both are announced by an event, which is committed with the change.
    let mut seq = api.engine.outbox().latest_seq(&caller);
    loop {
        if !api.engine.access().is_still_valid(&caller) {
            return Withdrawn::Token;
        }
        if !api.engine.accounts().exists(&caller, account).await {
            return Withdrawn::Account;
        }
        tokio::select! {
            () = api.stopping.cancelled() => return Withdrawn::Stopping,
            changed = tokio::time::timeout(EXPIRY_POLL_INTERVAL, seq.changed()) => if matches!(changed, Ok(Err(_))) {
                return Withdrawn::Stopping;
            },
        }
    }
}

/// The body, which breaks off when the caller or the account may not go on. A short one is left as it is.
pub(crate) fn until_withdrawn(api: &ApiState, caller: &Caller, account: AccountId, body: Body) -> Body {
    if body.size_hint().upper().is_some_and(|size| size <= MAX_UNWATCHED) {
        return body;
    }
    let withdrawn = Box::pin(withdrawn(api.clone(), caller.clone(), account));
    UntilWithdrawn { body, withdrawn }.boxed_unsync()
}

struct UntilWithdrawn<F> {
    body: Body,
    withdrawn: Pin<Box<F>>,
}

impl<F: Future<Output = Withdrawn>> HttpBody for UntilWithdrawn<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(why) = self.withdrawn.as_mut().poll(context) {
            return Poll::Ready(Some(Err(why.into())));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
