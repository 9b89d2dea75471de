//! `kill -9` at each of the places that the code names, against providers that rotate in each of their ways.
//!
//! A round: the account works; the program is started to stand still at the place; what leads there is begun; it stands; it is
//! killed; it is started again. Then: does the account work without its person, and if not, is that said?

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{provider::Provider, receiver::Receiver, relink::Relink, session::Session};

/// How providers treat a used refresh token.
pub const ROTATIONS: [&str; 3] = ["rotate", "grace", "strict"];

/// The places, as the code names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The intent is committed; nothing was sent.
    RefreshIntent,
    /// The provider has answered; nothing of it is kept.
    RefreshAnswered,
    /// The new refresh token is in the keychain; the database doesn't know.
    RefreshKept,
    /// Everything is committed.
    RefreshCommitted,
    /// A replacement is about to be put into the keychain.
    ReplaceIntent,
    /// The replacement is in the keychain; the database doesn't know.
    ReplaceKept,
    /// A new account's item is in the keychain; the database doesn't know the account.
    ConnectKept,
    /// A delivery is about to be sent.
    DeliverySending,
    /// A delivery was answered; the database doesn't know.
    DeliveryAnswered,
}

impl Point {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::RefreshIntent,
        Self::RefreshAnswered,
        Self::RefreshKept,
        Self::RefreshCommitted,
        Self::ReplaceIntent,
        Self::ReplaceKept,
        Self::ConnectKept,
        Self::DeliverySending,
        Self::DeliveryAnswered,
    ];

    /// The code's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RefreshIntent => "refresh-intent",
            Self::RefreshAnswered => "refresh-answered",
            Self::RefreshKept => "refresh-kept",
            Self::RefreshCommitted => "refresh-committed",
            Self::ReplaceIntent => "replace-intent",
            Self::ReplaceKept => "replace-kept",
            Self::ConnectKept => "connect-kept",
            Self::DeliverySending => "delivery-sending",
            Self::DeliveryAnswered => "delivery-answered",
        }
    }
}

/// What came of the rounds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The account works (the delivery came) without anybody's help.
    pub survived: u32,
    /// It doesn't.
    pub lost: u32,
    /// Of these, how often the cause said is `lost_response`.
    pub told_lost_response: u32,
    /// How often gnome-keyring itself crashed. Such a round is begun again, on a keyring that was started anew.
    pub keyring_crashes: u32,
}

/// So many rounds at one place, against one way of rotating.
pub async fn run(point: Point, rotation: &str, rounds: u32) -> Result<Tally> {
    let mut stage = Stage::new(rotation).await?;
    let mut tally = Tally::default();
    for round in 0..rounds {
        let mut outcome = stage.round(point).await;
        if outcome.is_err() && stage.session.keyring_has_died() {
            tally.keyring_crashes += 1;
            stage.session.restart_keyring().await?;
            stage.settle().await?;
            outcome = stage.round(point).await;
        }
        let outcome = outcome.with_context(|| format!("{} {rotation}, round {round}", point.name()))?;
        match outcome {
            None => tally.survived += 1,
            Some(cause) => {
                tally.lost += 1;
                tally.told_lost_response += u32::from(cause == "lost_response");
            }
        }
    }
    Ok(tally)
}

struct Stage {
    session: Session,
    provider: Provider,
    receiver: Receiver,
    account: String,
}

impl Stage {
    async fn new(rotation: &str) -> Result<Self> {
        let session = Session::start().await?;
        let provider = Provider::start().await?;
        provider.control("PATCH", "", json!({ "rotation": rotation })).await?;
        let receiver = Receiver::start().await?;
        let relink = Relink::start(&session).await?;
        let account = provider.connect(&relink).await?;
        let tests_only = json!({ "target_url": receiver.url(), "event_types": ["test"] });
        relink.post("/webhook", tests_only).await?;
        relink.stop().await?;
        Ok(Self { session, provider, receiver, account })
    }

    /// After a round that was cut off: the account works again, by its person's hand if it must be.
    async fn settle(&self) -> Result<()> {
        let relink = Relink::start(&self.session).await?;
        if self.works(&relink).await?.is_some() {
            self.mend(&relink).await?;
        }
        relink.stop().await
    }

    async fn mend(&self, relink: &Relink) -> Result<()> {
        let link = relink.magic_link(json!({ "integrated_account_id": self.account })).await?;
        let flow = self.provider.walk(relink, &link).await?;
        ensure!(flow["phase"] == "succeeded", "it could not be mended: {flow}");
        Ok(())
    }

    /// One round. `None`: nothing was lost; else the cause that is said.
    async fn round(&mut self, point: Point) -> Result<Option<String>> {
        let relink = Relink::start_with(&self.session, &[("RELINK_CRASH_AT", point.name().to_owned())]).await?;
        let seen = self.receiver.seen().len();
        let accounts = self.account_count(&relink).await?;
        let stands = format!("crash-point {}", point.name());
        tokio::select! {
            // It never ends: the program stands still.
            led = self.lead(point, &relink) => bail!("it did not stand still: {led:?}"),
            stood = relink.logs(&stands) => stood?,
        }
        relink.kill().await?;

        let relink = Relink::start(&self.session).await?;
        let lost = match point {
            Point::DeliverySending | Point::DeliveryAnswered => {
                self.receiver.wait_for_count(seen + 1).await?;
                None
            }
            Point::ConnectKept => {
                // The link was not used up, and what was half-made is gone: nothing but the item of the account that works.
                let left = self.account_count(&relink).await?;
                self.swept(&relink).await?;
                (left != accounts).then(|| "an account without its database".to_owned())
            }
            Point::RefreshIntent
            | Point::RefreshAnswered
            | Point::RefreshKept
            | Point::RefreshCommitted
            | Point::ReplaceIntent
            | Point::ReplaceKept => self.works(&relink).await?,
        };
        if lost.is_some() {
            self.mend(&relink).await?;
        }
        relink.stop().await?;
        Ok(lost)
    }

    /// Does what leads to the place.
    async fn lead(&self, point: Point, relink: &Relink) -> Result<Value> {
        let refresh = format!("/relink/accounts/{}/refresh", self.account);
        match point {
            Point::RefreshIntent | Point::RefreshAnswered | Point::RefreshKept | Point::RefreshCommitted => {
                relink.post(&refresh, Value::Null).await
            }
            Point::ReplaceIntent | Point::ReplaceKept => {
                let link = relink.magic_link(json!({ "integrated_account_id": self.account })).await?;
                self.provider.walk(relink, &link).await
            }
            Point::ConnectKept => {
                let link = relink.magic_link(json!({ "tenant_id": "another" })).await?;
                self.provider.walk(relink, &link).await
            }
            Point::DeliverySending | Point::DeliveryAnswered => {
                let webhooks = relink.get("/webhook").await?;
                relink.post("/webhook/test", json!({ "id": webhooks["result"][0]["id"] })).await?;
                // The delivery happens beside this.
                std::future::pending().await
            }
        }
    }

    /// Whether the account gives a token that the provider takes, and can be refreshed again.
    async fn works(&self, relink: &Relink) -> Result<Option<String>> {
        for path in ["access-token", "refresh"] {
            let path = format!("/relink/accounts/{}/{path}", self.account);
            let (status, answer) = relink.try_ask(Method::POST, &path, Value::Null).await?;
            if status != 200 {
                return Ok(Some(answer["code"].as_str().unwrap_or("without a code").to_owned()));
            }
            if let Some(token) = answer["access_token"].as_str()
                && !self.provider.accepts(token).await?
            {
                return Ok(Some("a token that is not accepted".to_owned()));
            }
        }
        Ok(None)
    }

    async fn account_count(&self, relink: &Relink) -> Result<usize> {
        Ok(relink.get("/relink/accounts").await?["result"].as_array().map_or(0, Vec::len))
    }

    /// Waits until the keyring holds no account's item but the one that works.
    async fn swept(&self, relink: &Relink) -> Result<()> {
        for _ in 0..200 {
            let text = self.session.keyring_text()?;
            let others =
                text.lines().filter(|line| line.contains("= account/") && !line.contains(&self.account)).count();
            if others == 0 {
                return Ok(());
            }
            // A question that waits a moment inside the program, which sweeps beside it.
            relink.get("/relink/events?after=999999&wait=1").await?;
        }
        bail!("a stray item was never swept: {}", self.session.keyring_text()?)
    }
}
