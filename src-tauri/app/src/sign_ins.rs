//! Reauthorizing from the window in two clicks: the provider's page opens in the browser at once, and the window shows what
//! becomes of the sign-in.

use std::{
    collections::HashMap,
    future::{Ready, ready},
    sync::Mutex,
};

use relink_contract::{
    connect::{Flow, FlowPhase},
    window::{Change, ErrorView, SignInProgress},
};
use relink_domain::{AccountId, FlowId, Secret, caller::Caller};
use url::Url;

use crate::{
    App, Result,
    direct_sign_in::{FLOW_POLL_TIMEOUT, SignIn, SignInRoute},
    error::{desktop_error, internal_error},
    error_view, lock,
};

/// The latest sign-in of each account.
pub(crate) type SignIns = Mutex<HashMap<AccountId, WindowSignIn>>;

#[derive(Debug)]
pub(crate) struct WindowSignIn {
    progress: SignInProgress,
    page: SignInPage,
}

/// The page on which the user signs in.
#[derive(Debug, Clone)]
enum SignInPage {
    Provider {
        url: Url,
        flow: FlowId,
        key: Secret,
    },
    /// The form in the connect UI. Each opening gets a link of its own.
    Form,
}

impl App {
    /// Begins to reauthorize the account: opens the provider's page in the browser, or the connect UI if credentials have to
    /// be entered. An earlier sign-in of this account that is still open is abandoned.
    pub async fn begin_sign_in(&self, id: AccountId) -> Result<SignInProgress> {
        self.abandon_sign_in(id);
        match self.reauthorize(id).await? {
            SignInRoute::ConnectPage(link) => {
                self.open_form(&link)?;
                Ok(self.add_sign_in(id, SignInProgress::InConnectWindow, SignInPage::Form))
            }
            SignInRoute::Provider(url, sign_in) => {
                let url = Url::parse(&url).map_err(|error| internal_error(&error.to_string()))?;
                let (flow, key) = (sign_in.flow.id, sign_in.key.clone());
                let page = SignInPage::Provider { url: url.clone(), flow, key };
                let begun = self.add_sign_in(id, SignInProgress::AtProvider, page);
                tokio::spawn(self.clone().follow_sign_in(id, sign_in));
                let opened = self.open_in_browser(&url).await;
                if opened.is_err() {
                    self.abandon_sign_in(id);
                }
                opened.map(|()| begun)
            }
        }
    }

    fn add_sign_in(&self, id: AccountId, progress: SignInProgress, page: SignInPage) -> SignInProgress {
        lock(&self.0.sign_ins).insert(id, WindowSignIn { progress: progress.clone(), page });
        self.publish(Change::SignIns);
        progress
    }

    fn open_form(&self, link: &Secret) -> Result<()> {
        let link = Url::parse(link.expose()).map_err(|error| internal_error(&error.to_string()))?;
        self.0.desktop.open_connect_window(&link).map_err(|reason| desktop_error("window", &reason))
    }

    /// The account's sign-in, if the window began one and hasn't dismissed it.
    pub fn sign_in(&self, id: AccountId) -> Ready<Result<Option<SignInProgress>>> {
        ready(Ok(lock(&self.0.sign_ins).get(&id).map(|sign_in| sign_in.progress.clone())))
    }

    /// Opens the page of the account's sign-in, once more if it was closed.
    pub async fn open_sign_in_page(&self, id: AccountId) -> Result<()> {
        let page = lock(&self.0.sign_ins).get(&id).map(|sign_in| sign_in.page.clone());
        match page {
            Some(SignInPage::Provider { url, .. }) => self.open_in_browser(&url).await,
            Some(SignInPage::Form) => match self.reauthorize(id).await? {
                SignInRoute::ConnectPage(link) => self.open_form(&link),
                // The account has been reauthorized with OAuth in the meantime.
                SignInRoute::Provider(..) => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Cancels the account's sign-in, or dismisses one that has ended.
    pub fn cancel_sign_in(&self, id: AccountId) -> Ready<Result<()>> {
        self.abandon_sign_in(id);
        ready(Ok(()))
    }

    fn abandon_sign_in(&self, id: AccountId) {
        let removed = lock(&self.0.sign_ins).remove(&id);
        if let Some(WindowSignIn { page: SignInPage::Provider { flow, key, .. }, .. }) = removed
            && let Err(error) = self.0.engine.connections().abandon_flow(&Caller::Person, flow, key.expose())
        {
            tracing::debug!(code = error.code(), "the sign-in has already ended: {error}");
        }
    }

    /// Completes the sign-in, and shows its progress, until it ends or is abandoned.
    async fn follow_sign_in(self, id: AccountId, sign_in: Box<SignIn>) {
        let (flow, key, mut version) = (sign_in.flow.id, sign_in.key.clone(), sign_in.flow.version);
        let completing = self.clone();
        tokio::spawn(async move { completing.finish(sign_in).await });
        loop {
            let connections = self.0.engine.connections();
            let next = connections.flow(&Caller::Person, flow, key.expose(), Some(version), FLOW_POLL_TIMEOUT).await;
            let progress = match next {
                Ok(flow) => {
                    version = flow.version;
                    progress_of(flow)
                }
                Err(error) => SignInProgress::Failed { error: error_view(error) },
            };
            let has_ended = progress.has_ended();
            if !self.show_progress(id, flow, progress) {
                return;
            }
            if has_ended {
                // The user is in the browser.
                self.0.desktop.bring_to_front();
                return;
            }
        }
    }

    /// Returns false if the sign-in was abandoned.
    fn show_progress(&self, id: AccountId, flow: FlowId, progress: SignInProgress) -> bool {
        let mut sign_ins = lock(&self.0.sign_ins);
        match sign_ins.get_mut(&id) {
            Some(WindowSignIn { page: SignInPage::Provider { flow: current, .. }, progress: shown })
                if *current == flow =>
            {
                *shown = progress;
            }
            _ => return false,
        }
        drop(sign_ins);
        self.publish(Change::SignIns);
        true
    }
}

fn progress_of(flow: Flow) -> SignInProgress {
    match flow {
        Flow { outcome: Some(outcome), .. } if outcome.kept_old => SignInProgress::KeptOld,
        Flow { outcome: Some(outcome), .. } if outcome.reauthorized => SignInProgress::Reauthorized,
        Flow { outcome: Some(outcome), .. } => SignInProgress::Added { name: outcome.account.name },
        Flow { error: Some(error), .. } => SignInProgress::Failed {
            error: ErrorView {
                code: error.code,
                title: error.title,
                message: error.message,
                hint: Some(error.hint).filter(|hint| !hint.is_empty()),
                field: None,
            },
        },
        Flow { question: Some(question), .. } => {
            SignInProgress::Question { expected: question.expected, actual: question.actual }
        }
        Flow { phase: FlowPhase::Waiting, .. } => SignInProgress::AtProvider,
        Flow { .. } => SignInProgress::Checking,
    }
}
