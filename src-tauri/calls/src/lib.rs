//! Calls that programs make through Relink to a provider's API. In a pass-through ([`Calls::pass_through`]) the account's credential is
//! added, and everything else goes as it is: request and response are streamed, so that memory stays flat whatever their size. A
//! method ([`Calls::run_method`]) is a request that the integration's definition describes.
//!
//! What the response means for the account (section 6 of the contract) goes to the engine, through [`Accounts`].
//!
//! Invariants:
//! - The credential goes only to the origin of the account's base URL, or of one that a method names and the credential was given
//!   for: a call's URL is that base and a path below it ([`target`]), and no redirect is followed.
//! - What authenticates the caller at Relink never goes to the provider, and neither do its cookies ([`headers`]).
//! - A request whose body can't be sent again is never repeated.
//! - A call on a prepared account reads no database and parses no definition.

mod account;
mod answer;
mod body;
mod coding;
mod deadline;
mod expressions;
mod headers;
mod json;
mod links;
mod method;
mod method_override;
mod off_thread;
mod pages;
mod pass_through;
mod quiet;
mod rate_limit;
mod remote_error;
mod reused_timer;
mod target;
mod tunnel;
mod upstream;
mod wait;
mod withheld;

#[cfg(test)]
mod tests;

pub use account::{Account, Accounts, Answered, BaseError, CursorKey, Described, Said};
pub use body::{Body, BoxError};
pub use expressions::{ExpressionError, Expressions, is_truthy};
pub use headers::{IDEMPOTENCY_KEY, asks_for_websocket, headers_for_provider};
pub use links::AccountUrl;
pub use method::{
    BodyError, BodyValue, BuildError, Called, MethodCall, MethodError, MethodTarget, Overrides, Parameters, ReadError,
    provider_cursor, value_of_body,
};
pub use method_override::{may_write, overrides_method};
pub use off_thread::off_thread_if_large;
pub use pages::{PageError, Seal, sealed, unsealed, url_of_relation};
pub use pass_through::{CallError, Calls, Incoming, MAX_WAITING_CALLS};
pub use quiet::{Quiet, Wait};
pub use rate_limit::RateLimits;
pub use remote_error::{
    ErrorInsight, ExpressedError, ForbiddenInsight, MissingScopes, RemoteError, expressed_error,
    headers_for_expressions, headers_of_error,
};
pub use reused_timer::ReusedTimer;
pub use target::TargetError;
pub use tunnel::tunnel;
pub use upstream::{Upstream, UpstreamError};
pub use wait::{Awaited, MAX_WAITING_BODY, WaitError};
