//! Opening a link's page without the link token in its URL.
//!
//! A URL that is passed to another program is visible to every user of the machine, in that program's arguments, and
//! stays in the browser's history. So it contains a nonce, which works once and for a minute. The page exchanges it for a
//! page token, which it keeps in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{
    Secret, Timestamp,
    caller::Caller,
    link::{LinkError, LinkToken},
};

use super::{
    Connections,
    flow::{Flow, Phase},
    forms::FormGrant,
    view::FlowFailure,
};
use crate::{
    error::{Error, Result},
    random::{hash_of, random_token},
    sync::lock,
};

/// How long a nonce can be used.
const NONCE_LIFETIME_SECS: i64 = 60;
/// How long a form can be filled in after it was opened.
const FORM_LIFETIME_SECS: i64 = 60 * 60;
/// How long a second use of a nonce is recognized.
const REPLAY_WINDOW_SECS: i64 = 60 * 60;
/// The maximum number of nonces, and of page tokens. If there are more, the oldest are dropped.
const MAX_OPENINGS: usize = 500;

type Hash = [u8; 32];

/// Where a link's page is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedIn {
    /// A window of the app, which no other program can take part in.
    Window,
    /// A browser.
    Browser,
    /// A browser that reached Relink at its public address, perhaps on another machine.
    PublicAddress,
}

/// The nonces and page tokens of this run.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By the hash of the nonce.
    nonces: HashMap<Hash, Nonce>,
    /// By the hash of the page token.
    pages: HashMap<Hash, OpenedPage>,
}

#[derive(Debug)]
struct Nonce {
    opens: OpenedPage,
    /// The hash of the page token that it was exchanged for.
    exchanged_for: Option<Hash>,
}

#[derive(Debug, Clone)]
struct OpenedPage {
    stands_for: StandsFor,
    opened_in: OpenedIn,
    at: Timestamp,
}

/// What a nonce and its page token stand for.
#[derive(Debug, Clone)]
pub(super) enum StandsFor {
    /// The hash of a link token.
    Link(Hash),
    /// An account's `RapidForm`.
    Form(FormGrant),
}

/// A token that was presented for a link: the hash of the link token, and the page, if a page's token was.
pub(super) struct Presented {
    pub(super) link: Hash,
    pub(super) page: Option<(Hash, OpenedIn)>,
}

/// A link, and the page that presented its token.
#[derive(Debug)]
pub(super) struct PresentedLink {
    pub(super) link: LinkToken,
    /// The hash of the page token; `None` if the link token itself was presented.
    pub(super) page: Option<Hash>,
    /// Where the page was opened, if it was opened with a nonce.
    pub(super) opened_in: Option<OpenedIn>,
}

/// What a nonce is worth.
enum Exchange {
    Done,
    Unknown,
    /// It was used before. This page token came of it.
    Repeated(Hash),
}

impl Openings {
    fn add_nonce(&self, nonce: &Secret, opens: OpenedPage) {
        let nonces = &mut lock(&self.0).nonces;
        nonces.retain(|_, other| opens.at.millis_since(other.opens.at) <= REPLAY_WINDOW_SECS * 1000);
        make_room(nonces, |nonce| nonce.opens.at);
        nonces.insert(hash_of(nonce.expose()), Nonce { opens, exchanged_for: None });
    }

    fn exchange(&self, nonce: &str, page_token: &Secret, now: Timestamp) -> Exchange {
        let Table { nonces, pages } = &mut *lock(&self.0);
        let Some(nonce) = nonces.get_mut(&hash_of(nonce)) else { return Exchange::Unknown };
        if let Some(page) = nonce.exchanged_for {
            pages.remove(&page);
            return Exchange::Repeated(page);
        }
        if now.millis_since(nonce.opens.at) >= NONCE_LIFETIME_SECS * 1000 {
            return Exchange::Unknown;
        }
        let page = hash_of(page_token.expose());
        nonce.exchanged_for = Some(page);
        make_room(pages, |page| page.at);
        pages.insert(page, OpenedPage { at: now, ..nonce.opens.clone() });
        Exchange::Done
    }

    /// Adds the page token of a form that follows a sign-in, on the same page.
    pub(super) fn add_form(&self, page_token: &Secret, grant: FormGrant, now: Timestamp) {
        let pages = &mut lock(&self.0).pages;
        make_room(pages, |page| page.at);
        let page = OpenedPage { stands_for: StandsFor::Form(grant), opened_in: OpenedIn::Browser, at: now };
        pages.insert(hash_of(page_token.expose()), page);
    }

    /// What a page token stands for. A form's is valid for an hour.
    pub(super) fn stands_for(&self, page_token: &str, now: Timestamp) -> Option<StandsFor> {
        let pages = &lock(&self.0).pages;
        let page = pages.get(&hash_of(page_token))?;
        let is_late = now.millis_since(page.at) >= FORM_LIFETIME_SECS * 1000;
        match &page.stands_for {
            StandsFor::Form(_) if is_late => None,
            stands_for => Some(stands_for.clone()),
        }
    }

    /// The link that a link token or a page token stands for.
    pub(super) fn link_of(&self, token: &str) -> Result<Presented, LinkError> {
        let hash = hash_of(token);
        match lock(&self.0).pages.get(&hash) {
            Some(OpenedPage { stands_for: StandsFor::Link(link), opened_in, .. }) => {
                Ok(Presented { link: *link, page: Some((hash, *opened_in)) })
            }
            Some(OpenedPage { stands_for: StandsFor::Form(_), .. }) => Err(LinkError::Unknown),
            None => Ok(Presented { link: hash, page: None }),
        }
    }
}

fn make_room<T>(table: &mut HashMap<Hash, T>, at: impl Fn(&T) -> Timestamp) {
    if table.len() >= MAX_OPENINGS
        && let Some(oldest) = table.iter().min_by_key(|(_, value)| at(value)).map(|(hash, _)| *hash)
    {
        table.remove(&oldest);
    }
}

impl Connections {
    /// Makes a nonce that opens the page of this link once, within a minute.
    pub async fn prepare_opening(&self, _caller: &Caller, token: &str, opened_in: OpenedIn) -> Result<Secret> {
        self.usable_link(token).await?;
        let Presented { link, .. } = self.0.openings.link_of(token)?;
        self.nonce_for(StandsFor::Link(link), opened_in)
    }

    pub(super) fn nonce_for(&self, stands_for: StandsFor, opened_in: OpenedIn) -> Result<Secret> {
        let nonce = random_token()?;
        self.0.openings.add_nonce(&nonce, OpenedPage { stands_for, opened_in, at: self.now() });
        Ok(nonce)
    }

    /// Exchanges a nonce for a page token, which stands for the link token in the page's requests. Whoever uses a nonce a
    /// second time may be the person, and the first one a program that saw it: then the first page can do nothing more.
    pub fn exchange_nonce(&self, nonce: &str) -> Result<Secret> {
        let page_token = random_token()?;
        match self.0.openings.exchange(nonce, &page_token, self.now()) {
            Exchange::Done => Ok(page_token),
            Exchange::Unknown => Err(Error::conflict(
                "opening_expired",
                "This address opens a link once, within a minute. Open the link again.",
            )),
            Exchange::Repeated(page) => {
                for flow in self.0.flows.begun_by(page) {
                    withdraw(&flow);
                }
                tracing::warn!("the address of a link's page was opened twice; what the first page began was ended");
                Err(Error::conflict(
                    "opening_used",
                    "This address was opened before, perhaps by another program. That page can't do anything more. Open the link again.",
                ))
            }
        }
    }
}

/// Ends a flow whose result isn't being saved yet.
fn withdraw(flow: &Arc<Flow>) {
    {
        let mut phase = lock(&flow.phase);
        match &mut *phase {
            // The form that follows.
            Phase::Succeeded(outcome) if outcome.form_token.is_some() => outcome.form_token = None,
            // Dropping the sender of an answer keeps the old sign-in.
            Phase::Waiting(_) | Phase::Returned { .. } | Phase::Asking { .. } => {
                *phase = Phase::Failed(FlowFailure::withdrawn());
            }
            Phase::Working(_) | Phase::Succeeded(_) | Phase::Failed(_) => return,
        }
    }
    flow.announce();
}
