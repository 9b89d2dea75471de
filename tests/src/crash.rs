//! `kill -9` at each crash point, against providers with each kind of refresh token rotation.
//!
//! In each round, the program is started with a working account and an armed crash point. The action that leads there
//! is performed; the program stops at the point, is killed, and is started again. Then the round checks:
//!
//! - Does the account work without reauthorization and, if not, is the cause reported?
//! - Were events delivered, and incomplete keychain items removed?
//! - Which of the two sign-ins is in force, and is the link used up if and only if it is the new one?

mod deliveries;
mod point;
mod runs;
mod steps;
mod workflows;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

pub use self::point::Point;
use self::steps::{WITH_STEPS, connect_by_steps, with_steps};
use crate::{
    canary::Canaries,
    object_store::ObjectStore,
    provider::{self, Provider},
    receiver::Receiver,
    relink::{DEADLINE, POLL_INTERVAL, Relink},
    session::Session,
};

/// How providers treat a reused refresh token.
pub const ROTATIONS: [&str; 3] = ["rotate", "grace", "strict"];

/// The results of the rounds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Rounds after which the account works, or the delivery arrived, without help.
    pub survived: u32,
    /// Rounds after which it doesn't.
    pub lost: u32,
    /// How many of these report the cause `lost_response`.
    pub reported_lost_response: u32,
    /// How often gnome-keyring itself crashed. Such a round is repeated with a restarted keyring.
    pub keyring_crashes: u32,
}

/// Runs this many rounds at one crash point with one kind of rotation. Prints why something was lost, unless it was reported as
/// `lost_response`.
#[expect(clippy::print_stderr, reason = "nothing else says it")]
pub async fn run(point: Point, rotation: &str, rounds: u32) -> Result<Tally> {
    let mut harness = Harness::new(point, rotation).await?;
    let mut tally = Tally::default();
    for round in 0..rounds {
        let mut outcome = harness.round(point, round).await;
        if outcome.is_err() && harness.session.keyring_has_died() {
            tally.keyring_crashes += 1;
            harness.session.restart_keyring().await?;
            harness.recover().await?;
            outcome = harness.round(point, round).await;
        }
        let outcome = outcome.with_context(|| format!("{} {rotation}, round {round}", point.name()))?;
        match outcome {
            None => tally.survived += 1,
            Some(cause) => {
                tally.lost += 1;
                let is_reported = cause == "lost_response";
                tally.reported_lost_response += u32::from(is_reported);
                if !is_reported {
                    eprintln!("{} {rotation}, round {round}: {cause}", point.name());
                }
            }
        }
    }
    Ok(tally)
}

/// The state at the beginning of a round.
struct StateBefore {
    /// The number of deliveries.
    deliveries: usize,
    accounts: usize,
    /// The refresh token of the sign-in in force.
    refresh_token: String,
    /// The sequence number of the account's latest timeline entry.
    latest_entry: i64,
    /// The magic link that is used in this round, if any.
    link: Option<String>,
}

struct Harness {
    session: Session,
    provider: Provider,
    receiver: Receiver,
    /// The account's integration.
    integration: &'static str,
    account: String,
    /// For runs.
    objects: Option<ObjectStore>,
}

impl Harness {
    async fn new(point: Point, rotation: &str) -> Result<Self> {
        let session = Session::start().await?;
        let provider = Provider::start().await?;
        provider.control("PATCH", "", json!({ "rotation": rotation })).await?;
        let receiver = Receiver::start().await?;
        let relink = Relink::start(&session).await?;
        let (integration, account) = if point.is_by_steps() {
            connect_by_steps(&provider, &relink).await?
        } else {
            (provider::NAME, provider.connect(&relink).await?)
        };
        relink.post("/relink/integrations", json!({ "text": with_steps(&provider)? })).await?;
        // An event that no other step of a round causes.
        let tokens_only = json!({ "target_url": receiver.url(), "event_types": ["api_token:created"] });
        relink.post("/webhook", tokens_only).await?;
        relink.stop().await?;
        let objects =
            if point.is_in_run() { Some(ObjectStore::start(&session.folder().join("objects")).await?) } else { None };
        Ok(Self { session, provider, receiver, integration, account, objects })
    }

    /// Repairs the account after an interrupted round, by reauthorization if necessary.
    async fn recover(&self) -> Result<()> {
        let relink = Relink::start(&self.session).await?;
        if self.works(&relink).await?.is_some() {
            self.reauthorize(&relink).await?;
        }
        relink.stop().await
    }

    async fn reauthorize(&self, relink: &Relink) -> Result<()> {
        let link = relink.magic_link(json!({ "integrated_account_id": self.account })).await?;
        let flow = self.provider.complete(relink, &link, self.integration, &mut Canaries::default()).await?;
        ensure!(flow["phase"] == "succeeded", "the reauthorization failed: {flow}");
        Ok(())
    }

    /// Runs one round. `None`: nothing was lost; otherwise the reported cause.
    async fn round(&mut self, point: Point, round: u32) -> Result<Option<String>> {
        let place =
            [("RELINK_CRASH_AT", point.place().to_owned()), ("RELINK_CRASH_SKIP", point.passes(round).to_string())];
        let relink = Relink::start_with(&self.session, &place).await?;
        let state_before = self.state_before(point, &relink).await?;
        let marker = format!("crash-point {}", point.place());
        tokio::select! {
            // It never returns: the program has stopped at the crash point.
            result = self.trigger(point, &relink, &state_before) => bail!("the program did not stop at the crash point: {result:?}"),
            reached = relink.logs(&marker) => reached?,
        }
        relink.kill().await?;

        let deliveries = self.receiver.seen().len() - state_before.deliveries;
        if point == Point::ReplaceKept {
            // From now on, a program that still used the old sign-in would be refused.
            self.provider.revoke_token(&state_before.refresh_token).await?;
        }
        let relink = Relink::start(&self.session).await?;
        if point == Point::StepRefreshFailed {
            self.check_failed_again(&relink).await?;
        }
        let lost = match point {
            Point::DeliverySending => self.check_delivered(&relink, &state_before, (deliveries, 0)).await?,
            Point::DeliveryAnswered => self.check_delivered(&relink, &state_before, (deliveries, 1)).await?,
            Point::ConnectKept => self.check_reconnected(&relink, &state_before).await?,
            Point::StepsBegin | Point::StepsRan | Point::StepsCommitted => {
                self.check_onboarded(&relink, &state_before).await?
            }
            Point::RefreshIntent
            | Point::RefreshAnswered
            | Point::RefreshKept
            | Point::RefreshCommitted
            | Point::StepRefreshIntent
            | Point::StepRefreshRequested
            | Point::StepRefreshAnswered
            | Point::StepRefreshFailed
            | Point::StepRefreshKept
            | Point::StepRefreshCommitted => self.works(&relink).await?,
            Point::RunFetched | Point::RunDelivered | Point::RunCommitted => {
                self.check_run(&relink, &state_before).await?
            }
            Point::WorkflowDecided | Point::WorkflowStarted | Point::WorkflowStepped => {
                self.check_workflow(&relink).await?
            }
            Point::ReplaceIntent => self.check_old_sign_in(&relink, &state_before).await?,
            Point::ReplaceKept => self.check_new_sign_in(&relink, &state_before).await?,
        };
        if lost.is_some() {
            self.reauthorize(&relink).await?;
        }
        relink.stop().await?;
        Ok(lost)
    }

    async fn state_before(&self, point: Point, relink: &Relink) -> Result<StateBefore> {
        let link = match point {
            Point::ReplaceIntent | Point::ReplaceKept => {
                Some(relink.magic_link(json!({ "integrated_account_id": self.account })).await?)
            }
            Point::ConnectKept | Point::StepsBegin | Point::StepsRan | Point::StepsCommitted => {
                Some(relink.magic_link(json!({ "tenant_id": "another" })).await?)
            }
            Point::RefreshIntent
            | Point::RefreshAnswered
            | Point::RefreshKept
            | Point::RefreshCommitted
            | Point::StepRefreshIntent
            | Point::StepRefreshRequested
            | Point::StepRefreshAnswered
            | Point::StepRefreshFailed
            | Point::StepRefreshKept
            | Point::StepRefreshCommitted
            | Point::DeliverySending
            | Point::DeliveryAnswered
            | Point::RunFetched
            | Point::RunDelivered
            | Point::RunCommitted
            | Point::WorkflowDecided
            | Point::WorkflowStarted
            | Point::WorkflowStepped => None,
        };
        let item = self.item()?;
        Ok(StateBefore {
            deliveries: self.receiver.seen().len(),
            accounts: relink.account_count().await?,
            refresh_token: item["secrets"]["refresh_token"].as_str().context("no refresh token")?.to_owned(),
            latest_entry: self
                .timeline(relink)
                .await?
                .first()
                .and_then(|entry| entry["seq"].as_i64())
                .context("no entry")?,
            link,
        })
    }

    /// Performs the action that leads to the crash point.
    async fn trigger(&self, point: Point, relink: &Relink, state_before: &StateBefore) -> Result<Value> {
        match point {
            Point::RefreshIntent
            | Point::RefreshAnswered
            | Point::RefreshKept
            | Point::RefreshCommitted
            | Point::StepRefreshIntent
            | Point::StepRefreshRequested
            | Point::StepRefreshAnswered
            | Point::StepRefreshFailed
            | Point::StepRefreshKept
            | Point::StepRefreshCommitted => {
                if point.is_by_steps() {
                    self.let_steps_fail(relink, point == Point::StepRefreshFailed).await?;
                }
                relink.post(&format!("/relink/accounts/{}/refresh", self.account), Value::Null).await
            }
            Point::ReplaceIntent | Point::ReplaceKept | Point::ConnectKept => {
                self.provider.complete_link(relink, state_before.link()?).await
            }
            Point::StepsBegin | Point::StepsRan | Point::StepsCommitted => {
                self.provider.complete(relink, state_before.link()?, WITH_STEPS, &mut Canaries::default()).await
            }
            Point::RunFetched | Point::RunDelivered | Point::RunCommitted => {
                self.begin_run(relink).await?;
                // It runs in parallel.
                std::future::pending().await
            }
            Point::WorkflowDecided | Point::WorkflowStarted | Point::WorkflowStepped => {
                self.begin_workflow(relink).await?;
                // It runs in parallel.
                std::future::pending().await
            }
            Point::DeliverySending | Point::DeliveryAnswered => {
                relink.post("/relink/api-tokens", json!({ "name": "crash" })).await?;
                // The delivery happens in parallel.
                std::future::pending().await
            }
        }
    }

    /// Asserts that incomplete keychain items are gone, and that the link works once.
    async fn check_reconnected(&self, relink: &Relink, state_before: &StateBefore) -> Result<Option<String>> {
        if relink.account_count().await? != state_before.accounts {
            return Ok(Some("an account without its database".to_owned()));
        }
        self.wait_until_orphans_are_removed().await?;
        let link = state_before.link()?;
        let flow = self.provider.complete_link(relink, link).await?;
        let Some(id) = flow["outcome"]["account"]["id"].as_str() else {
            return Ok(Some(format!("the link did not connect: {flow}")));
        };
        ensure!(!relink.link_is_good(link).await?, "a link was used twice");
        ensure!(
            relink.account_count().await? == state_before.accounts + 1,
            "the link did not connect exactly one account"
        );
        relink.request(Method::DELETE, &format!("/integrated-account/{id}"), Value::Null).await?;
        Ok(None)
    }

    /// Asserts that the old sign-in is in force and works, and that the interrupted link reauthorizes.
    async fn check_old_sign_in(&self, relink: &Relink, state_before: &StateBefore) -> Result<Option<String>> {
        if let Some(cause) = self.works(relink).await? {
            return Ok(Some(cause));
        }
        ensure!(
            self.reauthorized_since(relink, state_before).await? == 0,
            "a replacement that was never stored is in the timeline"
        );
        let flow = self.provider.complete_link(relink, state_before.link()?).await?;
        if flow["phase"] != "succeeded" {
            return Ok(Some(format!("the link did not reauthorize: {flow}")));
        }
        self.check_new_sign_in(relink, state_before).await
    }

    /// Asserts that the new sign-in is in force and works, and that its link is used up.
    async fn check_new_sign_in(&self, relink: &Relink, state_before: &StateBefore) -> Result<Option<String>> {
        if let Some(cause) = self.works(relink).await? {
            return Ok(Some(cause));
        }
        let count = self.reauthorized_since(relink, state_before).await?;
        ensure!(count == 1, "a stored replacement is in the timeline {count} times");
        ensure!(
            !relink.link_is_good(state_before.link()?).await?,
            "a link that was used for a reauthorization is still valid"
        );
        Ok(None)
    }

    /// The number of reauthorizations in the account's timeline.
    async fn reauthorized_since(&self, relink: &Relink, state_before: &StateBefore) -> Result<usize> {
        let lines = self.timeline(relink).await?;
        let since = lines.iter().take_while(|entry| entry["seq"].as_i64() > Some(state_before.latest_entry));
        Ok(since.filter(|entry| entry["title"].as_str().is_some_and(|it| it.starts_with("Reauthorized"))).count())
    }

    /// The newest page of the account's timeline, newest first.
    async fn timeline(&self, relink: &Relink) -> Result<Vec<Value>> {
        let timeline = relink.get(&format!("/relink/timeline?account={}", self.account)).await?;
        Ok(timeline["result"].as_array().context("no timeline")?.clone())
    }

    /// The account's keychain item.
    fn item(&self) -> Result<Value> {
        self.session.item(&format!("account/{}", self.account))
    }

    /// Whether the account gives a token that the provider accepts, and can be refreshed.
    async fn works(&self, relink: &Relink) -> Result<Option<String>> {
        for path in ["access-token", "refresh"] {
            let path = format!("/relink/accounts/{}/{path}", self.account);
            let (status, response) = relink.try_request(Method::POST, &path, Value::Null).await?;
            if status != 200 {
                return Ok(Some(response["code"].as_str().unwrap_or("without a code").to_owned()));
            }
            if let Some(token) = response["access_token"].as_str()
                && !self.provider.accepts(token).await?
            {
                return Ok(Some("a token that is not accepted".to_owned()));
            }
        }
        Ok(None)
    }

    /// Waits until the keyring holds only the account's item.
    async fn wait_until_orphans_are_removed(&self) -> Result<()> {
        let others = || -> Result<usize> {
            let text = self.session.keyring_text()?;
            Ok(text.lines().filter(|entry| entry.contains("= account/") && !entry.contains(&self.account)).count())
        };
        let gone = async {
            // Relink removes orphans in the background, without an event.
            while others()? > 0 {
                sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        timeout(DEADLINE, gone).await.context("an orphaned item was never removed")?
    }
}

impl StateBefore {
    fn link(&self) -> Result<&str> {
        self.link.as_deref().context("no link")
    }
}

async fn webhook(relink: &Relink) -> Result<String> {
    let webhooks = relink.get("/webhook").await?;
    webhooks["result"][0]["id"].as_str().map(str::to_owned).context("no webhook")
}
