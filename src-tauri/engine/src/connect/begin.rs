//! A flow's beginning, and its callback.

use std::{collections::BTreeMap, sync::Arc};

use relink_domain::{
    FlowId, Secret,
    account::{AuthenticationMethod, TimelineEvent},
    callback::{self, Callback, CallbackError, CallbackResult},
    event::EventKind,
    integration::RedirectKind,
    link::LinkToken,
};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Flow, FlowError, FlowView, Phase, Waiting, complete::Typed, mends, view::StepName};
use crate::{
    Engine, Error,
    engine::{hash_of, held, random_token},
    error::Result,
    keychain::{Key, KeychainError},
    oauth,
    provider::{Provider, no_credentials},
    store::{outbox, timeline},
};

/// What a flow begins with.
#[derive(Debug)]
pub struct BeginFlow {
    /// The integration's name.
    pub integration: String,
    /// How the account will be authenticated.
    pub format: AuthenticationMethod,
    /// By which way the browser is to come back; `None`: the best one.
    pub redirect: Option<RedirectKind>,
    /// What the person typed into the integration's fields.
    pub fields: BTreeMap<String, Secret>,
}

/// A flow that has begun.
#[derive(Debug)]
pub struct Begun {
    /// How it stands.
    pub flow: FlowView,
    /// Whoever holds it may follow and finish the flow.
    pub key: Secret,
}

impl Engine {
    /// Begins a flow for a link.
    pub async fn begin_flow(&self, token: &str, begin: BeginFlow) -> Result<Begun> {
        let link = self.usable_link(token).await?;
        let provider = self.provider_for(&link, &begin).await?;
        self.keychain_is_open(&provider).await?;
        match begin.format {
            AuthenticationMethod::Oauth2 => self.begin_oauth(link, provider, begin.redirect).await,
            AuthenticationMethod::ApiKey | AuthenticationMethod::Oauth2ClientCredentials => {
                self.begin_typed(link, provider, &begin)
            }
        }
    }

    async fn provider_for(&self, link: &LinkToken, begin: &BeginFlow) -> Result<Provider> {
        let provider = match mends(link) {
            Some(id) => {
                let account = self.load(id).await?;
                if account.profile.integration != begin.integration || account.method() != begin.format {
                    let message = "This link reauthorizes an account with its current integration and method. Connect a new account to use another.";
                    return Err(Error::invalid("link_for_another_integration", message));
                }
                self.provider(account.profile.environment_integration_id).await?
            }
            None => self.provider_named(&begin.integration).await?,
        };
        if !provider.definition.methods().contains(&begin.format) {
            let message = format!("{} can't be connected with {}.", provider.label(), begin.format.as_str());
            return Err(Error::invalid("unknown_method", message));
        }
        // The link was made before this integration was added, or before it asked for this.
        no_credentials(&link.options.context, std::slice::from_ref(&provider))?;
        Ok(provider)
    }

    /// Nobody is sent to a provider for tokens that could then not be kept. The person is here, so a prompt is in order.
    async fn keychain_is_open(&self, provider: &Provider) -> Result<()> {
        match self.0.keychain.get(&Key::Integration(provider.id())).await {
            Ok(_) | Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => Ok(()),
            Err(KeychainError::Locked) => Ok(self.0.keychain.unlock().await?),
            Err(error) => Err(error.into()),
        }
    }

    async fn begin_oauth(&self, link: LinkToken, provider: Provider, wish: Option<RedirectKind>) -> Result<Begun> {
        let has_secret = self.client_secret(&provider).await?.is_some();
        if let Some(not_ready) = provider.definition.not_ready(AuthenticationMethod::Oauth2, has_secret, self.port()?) {
            return Err(Error::conflict("integration_not_ready", not_ready.message));
        }
        let Some(oauth2) = provider.definition.oauth2() else {
            return Err(Error::invalid("unknown_method", format!("{} doesn't use OAuth 2.0.", provider.label())));
        };
        let redirect = self.redirect_for(&oauth2.redirects, wish, provider.label())?;
        let redirect_uri = match redirect {
            RedirectKind::DeepLink => callback::deep_link_uri(provider.name()),
            RedirectKind::Loopback => callback::loopback_uri(self.port()?, provider.name()),
        };
        let scopes = link.options.scopes.as_ref().unwrap_or(&oauth2.scopes);
        let asked = oauth::authorize(oauth2, &redirect_uri, scopes).map_err(|error| {
            Error::conflict("integration_broken", format!("The provider's URL isn't valid: {error}"))
        })?;
        let waiting =
            Waiting { authorize_url: asked.url.to_string(), redirect, redirect_uri, verifier: asked.verifier };
        self.insert_flow(link, provider, AuthenticationMethod::Oauth2, Phase::Waiting(waiting), Some(&asked.state))
            .map(|(_, begun)| begun)
    }

    fn begin_typed(&self, link: LinkToken, provider: Provider, begin: &BeginFlow) -> Result<Begun> {
        let fields = provider.definition.fields(begin.format);
        let typed = match fields.map(|fields| fields.validate(&begin.fields)) {
            Some(Ok(values)) => Typed::from(values),
            Some(Err(problems)) => {
                let Some(problem) = problems.into_iter().next() else { return Err(Error::Stopping) };
                return Err(Error::invalid_field("field_invalid", problem.field, problem.message));
            }
            None => Typed::default(),
        };
        let phase = Phase::Working(StepName::Checking);
        let (flow, started) = self.insert_flow(link, provider, begin.format, phase, None)?;
        let engine = self.clone();
        self.0.tasks.spawn(async move { engine.complete_typed(&flow, typed).await });
        Ok(started)
    }

    fn insert_flow(
        &self,
        link: LinkToken,
        provider: Provider,
        format: AuthenticationMethod,
        phase: Phase,
        state: Option<&Secret>,
    ) -> Result<(Arc<Flow>, Begun)> {
        let key = random_token()?;
        let flow = Arc::new(Flow {
            id: FlowId::from_uuid(Uuid::now_v7()),
            key_hash: hash_of(key.expose()),
            link,
            provider,
            format,
            began_at: self.now(),
            phase: phase.into(),
            version: watch::Sender::new(1),
        });
        self.0.flows.insert(Arc::clone(&flow), state);
        let begun = Begun { flow: flow.view(), key };
        Ok((flow, begun))
    }

    /// The ways back that work here, best first.
    pub(crate) fn redirects(&self) -> Vec<RedirectKind> {
        if self.0.takes_deep_links {
            vec![RedirectKind::DeepLink, RedirectKind::Loopback]
        } else {
            vec![RedirectKind::Loopback]
        }
    }

    fn redirect_for(&self, allowed: &[RedirectKind], wish: Option<RedirectKind>, label: &str) -> Result<RedirectKind> {
        match wish {
            Some(wish) if allowed.contains(&wish) => Ok(wish),
            Some(_) => {
                Err(Error::invalid("redirect_not_allowed", format!("{label} doesn't support this redirect type.")))
            }
            // A provider that allows only the deep link still works without its handler: the address can be pasted.
            None => {
                let works = self.redirects().into_iter().find(|kind| allowed.contains(kind));
                Ok(works.or_else(|| allowed.first().copied()).unwrap_or(RedirectKind::Loopback))
            }
        }
    }

    pub(crate) fn port(&self) -> Result<u16> {
        (*self.0.base.borrow()).ok_or(Error::Stopping)
    }

    /// Takes any callback, from whichever way it came: deep link, loopback, paste. Says whose it was.
    pub async fn callback(&self, url: &str) -> Result<FlowId> {
        let callback = self.read_callback(url, None).await?;
        let Some(flow) = self.0.flows.of_state(&callback.state) else {
            return Err(self.refuse(None, NOT_ASKED_FOR).await);
        };
        match self.take(&flow, callback) {
            Ok(None) => Ok(flow.id),
            Ok(Some(error)) => {
                self.note_failure(&flow, &error).await;
                Ok(flow.id)
            }
            Err(refusal) => Err(self.refuse(Some(&flow), refusal).await),
        }
    }

    /// Garbage leaves no trace. What has the form of a callback and contradicts itself was made by somebody: one line.
    async fn read_callback(&self, url: &str, flow: Option<&Flow>) -> Result<Callback> {
        match Callback::parse(url) {
            Err(CallbackError::Contradictory) => Err(self.refuse(flow, CONTRADICTORY).await),
            read => Ok(read?),
        }
    }

    /// Puts the answer into its flow, or says why not. Nothing is awaited in here: a `state` is used once.
    fn take(&self, flow: &Flow, callback: Callback) -> std::result::Result<Option<FlowError>, Refusal> {
        let mut phase = held(&flow.phase);
        let waiting = match &*phase {
            Phase::Waiting(waiting) if !self.is_late(flow) => waiting,
            Phase::Waiting(_) => return Err(TOO_LATE),
            // The page that follows the flow was there first, and has said so.
            Phase::Failed(error) if error.is_expired() => return Err(TOO_LATE),
            Phase::Returned { .. }
            | Phase::Working(_)
            | Phase::Asking { .. }
            | Phase::Succeeded(_)
            | Phase::Failed(_) => return Err(TWICE),
        };
        if waiting.redirect_uri != callback.redirect_uri {
            return Err(ANOTHER_ADDRESS);
        }
        let issuer = flow.provider.definition.oauth2().and_then(|oauth2| oauth2.issuer.as_deref());
        if let (Some(expected), Some(actual)) = (issuer, &callback.issuer)
            && expected != actual
        {
            return Err(ANOTHER_ISSUER);
        }
        let (next, error) = match callback.result {
            CallbackResult::Code(code) => (Phase::Returned { waiting: waiting.clone(), code }, None),
            CallbackResult::Error { code, description } => {
                let error = FlowError::refused_at_provider(&code, description.as_deref(), flow.provider.label());
                (Phase::Failed(error.clone()), Some(error))
            }
        };
        *phase = next;
        drop(phase);
        flow.version.send_modify(|version| *version += 1);
        Ok(error)
    }

    /// One line in the timeline, and nothing else.
    async fn refuse(&self, flow: Option<&Flow>, refusal: Refusal) -> Error {
        let account = flow.and_then(|flow| mends(&flow.link));
        let timeline_event =
            TimelineEvent::CallbackRefused { code: refusal.code.into(), message: refusal.message.into() };
        let now = self.now();
        let noted = self.0.store.write(move |tx| timeline::add(tx, account, now, &timeline_event)).await;
        if let Err(error) = noted {
            tracing::warn!("a refused callback could not be noted: {error}");
        }
        Error::CallbackRefused { code: refusal.code, message: refusal.message }
    }

    /// A flow failed: the timeline says so, and where it was the provider, so does the event.
    pub(super) async fn note_failure(&self, flow: &Flow, error: &FlowError) {
        let account = mends(&flow.link);
        let timeline_event = TimelineEvent::FlowFailed {
            code: error.code.clone(),
            message: format!("{}. {}", error.title, error.message),
        };
        let payload = json!({
            "integration": flow.provider.name(),
            "integrated_account_id": account,
            "tenant_id": match &flow.link.purpose {
                relink_domain::link::Purpose::Connect { tenant_id } => Some(tenant_id),
                relink_domain::link::Purpose::Reauthorize { .. } => None,
            },
            "error": error.title,
            "error_type": error.error_type,
            "code": error.code,
        });
        let (now, at_provider) = (self.now(), error.at_provider);
        let noted = self
            .0
            .store
            .write(move |tx| {
                timeline::add(tx, account, now, &timeline_event)?;
                if !at_provider {
                    return Ok(());
                }
                let subject = account.map(|id| id.to_string());
                outbox::enqueue_event(tx, EventKind::LinkTokenConnectionError, subject.as_deref(), &payload, now)
                    .map(drop)
            })
            .await;
        if let Err(unnoted) = noted {
            tracing::warn!("a failed sign-in could not be noted: {unnoted}");
        }
    }

    /// Takes an address that the person pasted into the page of this flow, and goes on.
    pub async fn paste_callback(&self, id: FlowId, key: &str, url: &str) -> Result<FlowView> {
        let flow = self.flow_of(id, key)?;
        let callback = self.read_callback(url, Some(&flow)).await?;
        let own = self.0.flows.of_state(&callback.state).map(|flow| flow.id);
        if own != Some(flow.id) {
            return Err(self.refuse(Some(&flow), ANOTHER_FLOW).await);
        }
        self.callback(url).await?;
        self.claim_flow(id, key).await
    }

    /// The page that began the flow takes its code: the exchange begins.
    pub async fn claim_flow(&self, id: FlowId, key: &str) -> Result<FlowView> {
        let flow = self.flow_of(id, key)?;
        self.expire(&flow).await;
        let claimed = {
            let mut phase = held(&flow.phase);
            match std::mem::replace(&mut *phase, Phase::Working(StepName::Exchanging)) {
                Phase::Returned { waiting, code } => Some((waiting, code)),
                other => {
                    *phase = other;
                    None
                }
            }
        };
        if let Some((waiting, code)) = claimed {
            flow.version.send_modify(|version| *version += 1);
            let (engine, flow) = (self.clone(), Arc::clone(&flow));
            self.0.tasks.spawn(async move { engine.complete_oauth(&flow, &waiting, &code).await });
        }
        Ok(flow.view())
    }
}

/// Why a callback is refused.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    code: &'static str,
    message: &'static str,
}

const NOT_ASKED_FOR: Refusal = Refusal {
    code: "state_unknown",
    message: "Relink didn't request this sign-in, or was restarted meanwhile. Nothing was changed. Start over from the link.",
};
const CONTRADICTORY: Refusal = Refusal {
    code: "callback_contradictory",
    message: "This URL is contradictory, so it doesn't come from the provider. Nothing was changed.",
};
const TWICE: Refusal =
    Refusal { code: "state_used", message: "This sign-in was already completed. Nothing was changed." };
const TOO_LATE: Refusal = Refusal {
    code: "state_expired",
    message: "This sign-in took longer than ten minutes. Nothing was changed. Start over from the link.",
};
const ANOTHER_ADDRESS: Refusal = Refusal {
    code: "redirect_mismatch",
    message: "This sign-in returned to a different redirect URI than it was started with. Nothing was changed.",
};
const ANOTHER_ISSUER: Refusal = Refusal {
    code: "issuer_mismatch",
    message: "This sign-in was answered by a different provider than it was started at. Nothing was changed.",
};
const ANOTHER_FLOW: Refusal = Refusal {
    code: "state_of_another_flow",
    message: "This URL belongs to another sign-in. Copy the one that the browser shows after this sign-in.",
};
