//! Calls that wait for the person: an account that has to be reauthorized ends them only after a while.

use std::time::Duration;

use http::Response;
use relink_domain::{AccountId, caller::Caller};
use tokio::time::Instant;

use crate::{
    account::Accounts,
    body::{Body, IncompleteBody, full, read_whole},
    expressions::Expressions,
    method::{MethodCall, MethodError},
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

/// Why a call that may wait has no response of the provider. `E` is why a call that doesn't wait has none.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E> {
    #[error(transparent)]
    Call(E),
    /// It is larger than [`MAX_WAITING_BODY`].
    #[error("the request's body is too large to wait with")]
    BodyTooLarge,
    /// There are [`MAX_WAITING_CALLS`](crate::MAX_WAITING_CALLS) already.
    #[error("too many calls are waiting")]
    TooManyWaiting,
}

/// Why a call has no response. It may be that its account can't be used.
trait OfCall<E>: From<CallError<E>> {
    fn of_account(&self) -> Option<&E>;
}

impl<E> OfCall<E> for CallError<E> {
    fn of_account(&self) -> Option<&E> {
        if let Self::Account(error) = self { Some(error) } else { None }
    }
}

impl<E> OfCall<E> for MethodError<E> {
    fn of_account(&self) -> Option<&E> {
        if let Self::Call(error) = self { error.of_account() } else { None }
    }
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
    ) -> Result<Response<Body>, WaitError<CallError<A::Error>>> {
        let Incoming { method, path, query, headers, body, prefix } = call;
        let attempt = |body| {
            let (method, headers) = (method.clone(), headers.clone());
            self.attempt(caller, id, Incoming { method, path, query, headers, body, prefix })
        };
        self.again(caller, id, body, at_most, attempt).await
    }

    /// [`Calls::run_method`], with the same exception.
    pub async fn run_method_or_wait(
        &self,
        caller: &Caller,
        id: AccountId,
        call: MethodCall<'_>,
        expressions: &impl Expressions,
        at_most: Duration,
    ) -> Result<Response<Body>, WaitError<MethodError<A::Error>>> {
        let MethodCall { target, parameters, headers, body, prefix, called, only_reads, overrides } = call;
        let attempt = |body| {
            let (parameters, headers) = (parameters.clone(), headers.clone());
            let overrides = overrides.clone();
            let call = MethodCall { target, parameters, headers, body, prefix, called, only_reads, overrides };
            self.attempt_method(caller, id, call, expressions)
        };
        self.again(caller, id, body, at_most, attempt).await
    }

    /// Makes a call with a body, again and again for as long as its account needs the person, and the person acts in time.
    async fn again<E, F>(
        &self,
        caller: &Caller,
        id: AccountId,
        body: Body,
        at_most: Duration,
        attempt: impl Fn(Body) -> F,
    ) -> Result<Response<Body>, WaitError<E>>
    where
        E: OfCall<A::Error>,
        F: Future<Output = Attempt<A::Account, E>>,
    {
        let until = Instant::now() + at_most;
        let body = read_whole(body, MAX_WAITING_BODY).await.map_err(|error| match error {
            IncompleteBody::TooLong => WaitError::BodyTooLarge,
            IncompleteBody::Broken(error) => WaitError::Call(CallError::Body(error).into()),
        })?;
        loop {
            let Attempt { outcome, refused } = attempt(full(body.clone())).await;
            let unusable = outcome.as_ref().err().and_then(OfCall::of_account);
            if refused.is_none() && !unusable.is_some_and(A::needs_person) {
                return outcome.map_err(WaitError::Call);
            }
            // The place is free again when the call goes on, or its caller leaves.
            let _place = self.waiting.try_acquire().map_err(|_| WaitError::TooManyWaiting)?;
            let works_again = self.accounts.works_again(caller, id, refused.as_ref());
            match tokio::time::timeout_at(until, works_again).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(WaitError::Call(CallError::Account(error).into())),
                Err(_) => return outcome.map_err(WaitError::Call),
            }
        }
    }
}
