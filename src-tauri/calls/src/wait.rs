//! Calls that wait for the person: an account that has to be reauthorized ends them only after a while.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use relink_domain::{AccountId, caller::Caller};
use tokio::time::Instant;

use crate::{
    account::Accounts,
    body::{Body, full},
    pass_through::{Attempt, CallError, Calls, Incoming},
};

/// The largest body of a call that may wait, in bytes: it is kept in memory meanwhile.
pub const MAX_WAITING_BODY: usize = 1 << 20;

/// Accounts whose person can be waited for.
pub trait Awaited: Accounts {
    /// Whether the account can be called again only after its person has done something.
    fn needs_person(error: &Self::Error) -> bool;

    /// Waits until the account works again: with other credentials than those that a call was `refused` with, or because the
    /// provider accepts them again. Fails if the account is deleted. Its person learns that the caller waits.
    fn works_again(
        &self,
        caller: &Caller,
        id: AccountId,
        refused: Option<&Self::Account>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Why a call that may wait has no response of the provider.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E> {
    #[error(transparent)]
    Call(#[from] CallError<E>),
    /// It is larger than [`MAX_WAITING_BODY`].
    #[error("the request's body is too large to wait with")]
    BodyTooLarge,
    /// There are [`MAX_WAITING_CALLS`](crate::MAX_WAITING_CALLS) already.
    #[error("too many calls are waiting")]
    TooManyWaiting,
}

async fn read<E>(mut body: Body) -> Result<Bytes, WaitError<E>> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(CallError::Body)?.into_data() else { continue };
        if read.len() + data.len() > MAX_WAITING_BODY {
            return Err(WaitError::BodyTooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

impl<A: Awaited> Calls<A> {
    /// [`Calls::pass_through`], except that a call that only the account's person can make possible is made again when that is done.
    /// After `at_most`, it ends as it would have without the wait.
    pub async fn pass_through_or_wait(
        &self,
        caller: &Caller,
        id: AccountId,
        call: Incoming<'_>,
        at_most: Duration,
    ) -> Result<Response<Body>, WaitError<A::Error>> {
        let until = Instant::now() + at_most;
        let Incoming { method, path, query, headers, body, prefix } = call;
        let body = read(body).await?;
        loop {
            let (method, headers, body) = (method.clone(), headers.clone(), full(body.clone()));
            let attempt = self.attempt(caller, id, Incoming { method, path, query, headers, body, prefix }).await;
            let refused = match &attempt {
                Ok(Attempt { refused: Some(refused), .. }) => Some(refused),
                Err(CallError::Account(error)) if A::needs_person(error) => None,
                _ => return Ok(attempt?.response),
            };
            // The place is free again when the call goes on, or its caller leaves.
            let _place = self.waiting.try_acquire().map_err(|_| WaitError::TooManyWaiting)?;
            let waited = tokio::time::timeout_at(until, self.accounts.works_again(caller, id, refused)).await;
            match waited {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(CallError::Account(error).into()),
                Err(_) => return Ok(attempt?.response),
            }
        }
    }
}
