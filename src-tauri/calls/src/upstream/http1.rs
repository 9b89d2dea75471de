//! An HTTP/1.1 connection that is driven by the call that uses it, without a task of its own.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};

use tokio::runtime::{self, Handle};

use super::{
    SendError,
    connect::Stream,
    outgoing::{HeadersDeadline, Outgoing, RequestSent},
};

/// One call at a time uses it. Dropping it closes it.
pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    /// Reads and writes when it is polled. `None` when it has ended.
    driver: Option<http1::Connection<Stream, Outgoing>>,
    deadline: HeadersDeadline,
    /// What watches its socket, whoever uses it.
    pub(super) runtime: Option<runtime::Id>,
}

/// Why a connection gave no response.
pub(super) enum Failed {
    /// Nothing of the request was sent, so it can be sent on another connection.
    Unsent(Box<Request<Outgoing>>, hyper::Error),
    /// Some of the request may have been sent.
    Other(SendError),
}

impl Connection {
    pub(super) async fn new(stream: Stream) -> Result<Box<Self>, SendError> {
        let (sender, driver) = http1::handshake(stream).await.map_err(SendError::Broken)?;
        let (driver, deadline, runtime) = (Some(driver), HeadersDeadline::default(), current_runtime());
        Ok(Box::new(Self { sender, driver, deadline, runtime }))
    }

    /// Sends a request, and gives the response as soon as its headers are there. Its body arrives only while the connection is driven
    /// further ([`Self::poll_until`]).
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
        sent: &mut RequestSent,
    ) -> Result<Response<Incoming>, Failed> {
        self.deadline.begin_call();
        // Without a budget of Tokio, because it would ask to be polled again through the waker, and is polled without one.
        let mut response = pin!(tokio::task::unconstrained(self.sender.try_send_request(request)));
        let mut was_polled = false;
        let answered = poll_fn(|context| {
            let answer = |context: &mut Context<'_>| response.as_mut().poll(context);
            let answered = if std::mem::replace(&mut was_polled, true) {
                self.poll_until(context, answer)
            } else {
                // The request is only being sent, so there can be no response yet.
                self.poll_once(context, answer)
            };
            if let Poll::Ready(answered) = answered {
                return Poll::Ready(answered.map_err(failed));
            }
            self.deadline.poll(context, sent).map(|()| Err(Failed::Other(SendError::TooLate)))
        });
        answered.await
    }

    /// Drives the connection until `outcome` is ready, which only the connection may bring about: it is polled without a waker.
    ///
    /// The connection is polled twice: first without a waker, and only if that doesn't bring the outcome with the task's. What the
    /// call does after an outcome, such as taking data of the body, wakes what the connection was last polled with. If that were the
    /// task, each call would be polled once more for nothing.
    ///
    /// No wake-up is lost. This returns `Pending` only if the last poll of the connection was the one with the task's waker, so the
    /// task is woken when the connection can go on; and the outcome has been asked for after that poll, so it can't have come about
    /// unseen. When the connection has ended it is dropped, by which hyper completes the response or body with an error.
    pub(super) fn poll_until<T>(
        &mut self,
        context: &mut Context<'_>,
        mut outcome: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self.poll_once(&mut Context::from_waker(Waker::noop()), &mut outcome) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => self.poll_once(context, outcome),
        }
    }

    fn poll_once<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.drive(context);
        outcome(&mut Context::from_waker(Waker::noop()))
    }

    /// Reads and writes what can be without waiting. Why a connection ends is known from the response or its body.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(context).is_ready()
        {
            self.driver = None;
        }
    }

    /// Lets a task do what is left of the exchange, which is the connection's last.
    pub(super) fn go_on_in_task(mut self: Box<Self>) {
        if let Some(driver) = self.driver.take() {
            // Why it ends is known from the response's body.
            tokio::spawn(async move { drop(driver.await) });
        }
    }

    /// Whether another request may be sent: the last one and its response are complete, nothing followed the response, and neither side
    /// has closed the connection. To be asked when no call uses it.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        // hyper's connection asks for another request only when it is between two, and has looked for bytes that nobody asked for.
        self.driver.is_some() && self.sender.is_ready()
    }
}

pub(super) fn current_runtime() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

pub(super) fn failed(mut error: TrySendError<Request<Outgoing>>) -> Failed {
    match error.take_message() {
        Some(request) => Failed::Unsent(Box::new(request), error.into_error()),
        None => Failed::Other(SendError::Broken(error.into_error())),
    }
}
