//! Connected, called, revoked in the provider's own way, and reauthorized.

use anyhow::{Context, Result, ensure};
use relink_tests::twin::Twin;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Program, with_each};

/// When Relink learns that the person has revoked the access.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notices {
    /// With the next call.
    AtOnce,
    /// When the access token has expired, which works until then.
    AfterExpiry,
    /// With the next refresh: the answers of its API have status 200.
    AtRefresh,
}

/// What is expected of a provider.
struct Case {
    name: &'static str,
    /// The account's identity.
    identity: &'static str,
    /// A path of its API, and what the answer has at the pointer.
    via: (&'static str, &'static str, &'static str),
    notices: Notices,
}

const CASES: [Case; 8] = [
    Case {
        name: "github",
        identity: "ada-twin",
        via: ("/repos/ada-twin/project-1", "/full_name", "ada-twin/project-1"),
        notices: Notices::AtOnce,
    },
    Case {
        name: "google",
        identity: "ada@example.com",
        via: ("/calendar/v3/calendars/primary/events?maxResults=2", "/items/0/summary", "Meeting 1"),
        notices: Notices::AtOnce,
    },
    Case {
        name: "microsoft",
        identity: "ada@twin.example",
        via: ("/me/messages?$top=2", "/value/0/subject", "Message 1"),
        notices: Notices::AfterExpiry,
    },
    Case {
        name: "slack",
        identity: "ada",
        via: ("/conversations.list?limit=2", "/channels/0/name", "channel-1"),
        notices: Notices::AtRefresh,
    },
    Case {
        name: "notion",
        identity: "Twin workspace",
        via: ("/v1/users?page_size=2", "/results/0/name", "Member 1"),
        notices: Notices::AtOnce,
    },
    Case {
        name: "hubspot",
        identity: "1815121",
        via: ("/crm/v3/objects/contacts?limit=2", "/results/0/properties/firstname", "First 1"),
        notices: Notices::AtOnce,
    },
    Case {
        name: "jira",
        identity: "twin-site",
        via: ("/ex/jira/11223344-a1b2-4000-8000-c1de00000001/rest/api/3/issue/TWIN1-1", "/fields/summary", "Task 1"),
        notices: Notices::AtOnce,
    },
    Case {
        name: "salesforce",
        identity: "ada@twin.example",
        via: ("/services/data/v62.0/query?q=SELECT+Id+FROM+Account", "/records/0/Name", "Account 1"),
        notices: Notices::AtOnce,
    },
];

/// A program that calls an account at a twin, and what is expected of it.
struct World<'a> {
    case: &'a Case,
    program: &'a Program<'a>,
    twin: &'a Twin,
}

impl World<'_> {
    async fn call_via(&self) -> Result<(u16, Value)> {
        let Program { relink, client, token, account } = self.program;
        let url = format!("{}/via/{account}{}", relink.base_url(), self.case.via.0);
        let response = client.get(url).bearer_auth(token).send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn view(&self) -> Result<Value> {
        self.program.relink.get(&format!("/relink/accounts/{}", self.program.account)).await
    }

    async fn events(&self) -> Result<Vec<String>> {
        let events = self.program.relink.get("/relink/events").await?;
        let own = events["result"].as_array().into_iter().flatten();
        let own = own.filter(|event| event["payload"]["id"] == *self.program.account);
        let name = |event: &Value| Some(event["event"].as_str()?.strip_prefix("integrated_account:")?.to_owned());
        Ok(own.filter_map(name).collect())
    }

    /// Waits for the event that the account needs its person.
    async fn needs_its_person(&self) -> Result<()> {
        let kind = "integrated_account:authentication_error";
        let mut after = 0;
        loop {
            let event = self.program.relink.event(kind, after).await?;
            if event["payload"]["id"] == *self.program.account {
                return Ok(());
            }
            after = event["seq"].as_i64().context("no number")?;
        }
    }

    /// The answer of a call through Relink.
    async fn works(&self) -> Result<()> {
        let (_, pointer, expected) = self.case.via;
        let (status, body) = self.call_via().await?;
        ensure!(status == 200 && body.pointer(pointer) == Some(&json!(expected)), "{status} {body}");
        Ok(())
    }
}

async fn lives(world: &World<'_>) -> Result<()> {
    let view = world.view().await?;
    ensure!(view["status"] == "active" && view["identity"] == world.case.identity, "{view}");
    world.works().await?;

    // An access token that has expired is replaced without anybody noticing. Notion's never expire.
    if world.case.name != "notion" && world.case.notices != Notices::AtRefresh {
        world.twin.expire().await?;
        world.works().await.context("after the access token has expired")?;
    }
    ensure!(world.events().await? == ["created", "active"], "{:?}", world.events().await?);

    world.twin.revoke().await?;
    match world.case.notices {
        Notices::AtOnce => {}
        Notices::AfterExpiry => {
            world.works().await.context("the access token outlives its sign-in")?;
            world.twin.expire().await?;
        }
        Notices::AtRefresh => {
            let path = format!("/relink/accounts/{}/refresh", world.program.account);
            let (status, body) = world.program.relink.try_request(Method::POST, &path, Value::Null).await?;
            ensure!(status == 401 && body["verdict"] == "needs_person", "{status} {body}");
        }
    }
    if world.case.notices != Notices::AtRefresh {
        world.call_via().await?;
    }
    world.needs_its_person().await?;
    let view = world.view().await?;
    ensure!(view["status"] == "needs_reauth", "{view}");
    ensure!(world.events().await? == ["created", "active", "authentication_error"], "{:?}", world.events().await?);

    let link = world.program.relink.magic_link(json!({ "integrated_account_id": world.program.account })).await?;
    let flow = world.twin.complete_link(world.program.relink, &link).await?;
    ensure!(flow["phase"] == "succeeded", "{flow}");
    world.works().await.context("after the reauthorization")?;
    let events = world.events().await?;
    ensure!(events == ["created", "active", "authentication_error", "updated", "active"], "{events:?}");
    Ok(())
}

#[tokio::test]
async fn each_curated_integration_lives_through_a_revocation_at_its_provider() -> Result<()> {
    let names = CASES.each_ref().map(|case| case.name);
    with_each(&names, async |program, twin| {
        let case = CASES.iter().find(|case| case.name == twin.name).context("no case")?;
        lives(&World { case, program, twin }).await
    })
    .await
}
