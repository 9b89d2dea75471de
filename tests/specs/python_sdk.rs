//! Truto's Python SDK (`truto-python-sdk`, unmodified): every method of it, at a Relink with an account of a provider on this
//! machine (contract section 13.2).

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use relink_tests::{
    contacts_api::ContactsApi, process, provider::Provider, receiver::Receiver, relink::Relink, session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A Relink with an account of the contacts' API, which accepts webhooks that have the API token.
struct World {
    session: Session,
    relink: Relink,
    receiver: Receiver,
    /// Of runs of sync jobs.
    sync_receiver: Receiver,
    api: ContactsApi,
    token: String,
    account: String,
    _provider: Provider,
}

impl World {
    async fn new() -> Result<Self> {
        let session = Session::start().await?;
        let relink = Relink::start(&session).await?;
        let (provider, api) = (Provider::start().await?, ContactsApi::start().await?);
        let (receiver, sync_receiver) = (Receiver::start().await?, Receiver::start().await?);
        let account = provider.connect_with_config(&relink, "crm", api.config()).await?;
        let made = relink.post("/relink/api-tokens", json!({ "name": "sdk", "level": "full" })).await?;
        let token = made["token"].as_str().context("no token")?.to_owned();
        let it = Self { session, relink, receiver, sync_receiver, api, token, account, _provider: provider };
        let variables = json!({ "override": { "secret_environment_variables": { "webhook_token": it.token } } });
        let installed = format!("/environment-integration/{}", it.installed().await?);
        it.relink.request(Method::PATCH, &installed, variables).await?;
        Ok(it)
    }

    async fn shown(&self) -> Result<Value> {
        self.relink.get(&format!("/integrated-account/{}", self.account)).await
    }

    async fn installed(&self) -> Result<String> {
        self.shown().await?["environment_integration_id"].as_str().map(str::to_owned).context("no ID")
    }

    /// What the SDK gave for each of its methods.
    async fn run(&self) -> Result<Value> {
        let servers = format!("/integrated-account/{}/mcp", self.account);
        let server = self.relink.post(&servers, json!({ "name": "agent", "config": { "methods": ["read"] } })).await?;
        let facts = json!({
            "account": self.account, "environment_integration": self.installed().await?, "mcp_token": server["token"],
            "target": self.receiver.url(), "sync_target": self.sync_receiver.url(),
        });
        let python = process::target().join("python/truto-python-sdk/bin/python");
        let mut command = self.session.command(&python.to_string_lossy());
        command
            .arg(process::workspace().join("tests/sdks/truto.py"))
            .arg(self.relink.base_url())
            .arg(facts.to_string());
        command.env("RELINK_TOKEN", &self.token).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = process::spawn(command)?.wait_with_output().await?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "run make test-setup, which installs the SDK: {out}{err}");
        serde_json::from_str(&out).with_context(|| format!("no JSON: {out}{err}"))
    }
}

#[tokio::test]
async fn trutos_python_sdk_works_with_relink_unchanged() -> Result<()> {
    let world = World::new().await?;
    let found = world.run().await?;
    assert_eq!(found["not_called"], json!([]));
    finds_the_organization(&world, &found["organization"]).await?;
    makes_and_documents_integrations(&found["integrations"]);
    imports_changes_and_marks_accounts(&world, &found["accounts"]).await?;
    calls_the_provider(&found["calls"]);
    calls_tools(&found["mcp"]);
    manages_webhooks_and_receives_those_of_providers(&world, &found["webhooks"]).await?;
    maps_and_calls_unified_models(&found["unified"]);
    runs_sync_jobs(&world, &found["sync"]).await?;
    runs_workflows(&found["workflows"]);
    keeps_datastores(&found["datastores"]);
    goes_on_without_what_relink_lacks(&found["absent"])?;
    ensure!(!world.relink.logged().contains(&world.token), "the token is nowhere in the log");
    drop(world.api);
    world.relink.stop().await
}

async fn finds_the_organization(world: &World, found: &Value) -> Result<()> {
    for (member, path) in
        [("users", "/user"), ("teams", "/team"), ("environments", "/environment"), ("api_tokens", "/api-token")]
    {
        let all = world.relink.get(path).await?["result"].clone();
        assert_eq!(found[member], json!({ "all": all, "first": all[0] }), "{member}");
    }
    assert_eq!(found["environments"]["all"][0]["id"], world.shown().await?["environment_id"]);
    assert_eq!(found["api_tokens"]["all"][0]["name"], "sdk");
    assert_eq!(found["categories"], world.relink.get("/category").await?["result"]);
    assert!(found["categories"].as_array().is_some_and(|all| !all.is_empty()));
    assert_eq!(found["ping"], world.relink.get("/ping").await?);
    Ok(())
}

fn makes_and_documents_integrations(found: &Value) {
    let created = &found["created"];
    assert_eq!(
        (&created["name"], &created["category"], &created["config"]["label"]),
        (&json!("acme"), &json!("crm"), &json!("Acme"))
    );
    assert_eq!(found["updated"], "Acme CRM");
    assert_eq!(found["stale"], json!([409, "Conflict"]));
    let installation = &found["installation"];
    assert_eq!((&installation["integration_id"], &installation["is_enabled"]), (&created["id"], &json!(true)));
    assert_eq!((&found["hidden"], &found["documented"]), (&json!(false), &json!("# New")));
    for holds in ["listed", "installed", "documentation", "undocumented", "uninstalled", "deleted"] {
        assert_eq!(found[holds], true, "{holds}");
    }
    assert_eq!(found["gone"], json!([404, "Not Found"]));
}

async fn imports_changes_and_marks_accounts(world: &World, found: &Value) -> Result<()> {
    let imported = &found["imported"];
    assert_eq!(
        (&imported["tenant_id"], &imported["authentication_method"], &imported["context"]),
        (&json!("imported"), &json!("api_key"), &json!({ "plan": "pro" }))
    );
    assert_eq!(found["listed"], json!(["imported", "crm"]), "two pages");
    let (got, shown) = (&found["got"], world.shown().await?);
    for key in ["id", "tenant_id", "integration", "created_at"] {
        assert_eq!(got[key], shown[key], "{key}");
    }
    assert_eq!((&got["status"], &got["context"]["workspace_id"]), (&json!("active"), &json!("w-1")));
    assert_eq!((&found["updated"], &shown["context"]["team"]), (&json!("core"), &json!("core")));
    assert_eq!(found["own"], 5, "contacts, with the account's own token");
    for action in ["refreshed", "steps"] {
        assert_eq!(found[action], json!({ "success": true }), "{action}");
    }
    let link = format!("/?link_token={}", found["link_token"].as_str().context("no link token")?);
    ensure!(world.relink.link_is_good(&link).await?, "{link}");
    let marked = &found["marked"];
    assert_eq!(
        (&marked["id"], &marked["integrated_account"]["is_sandbox"]),
        (&imported["id"], &json!(true)),
        "{marked}"
    );
    assert_eq!(found["written"], json!([405, "Method Not Allowed"]));
    for holds in ["sandbox", "unmarked", "deleted"] {
        assert_eq!(found[holds], true, "{holds}");
    }
    assert_eq!(found["gone"], json!([404, "Not Found"]));
    Ok(())
}

fn calls_the_provider(found: &Value) {
    let contact = |id: &str, name: &str| json!({ "id": id, "name": name });
    assert_eq!(found["listed"], json!(["1", "2", "3", "4", "5", "6", "70"]), "four pages");
    assert_eq!(found["page"], json!([contact("1", "Contact 1"), contact("2", "Contact 2")]));
    assert_eq!(found["filtered"], json!([contact("3", "Contact 3")]));
    assert_eq!(found["got"], contact("3", "Contact 3"));
    assert_eq!((&found["created"], &found["updated"]), (&contact("6", "Ada"), &contact("6", "Ada L.")));
    assert_eq!((&found["deleted"], &found["gone"]), (&json!({ "id": "6" }), &json!([404, "Not Found"])));
    let result = |result: Value| json!({ "result": result, "next_cursor": null, "prev_cursor": null });
    assert_eq!(
        found["custom"],
        json!({
            "get": result(contact("3", "Contact 3")), "post": result(json!({ "id": "1", "merged": ["2"] })),
            "put": result(contact("70", "Grace")), "patch": result(contact("70", "Grace H.")), "delete": 0,
            "text": "id,name\n1,Contact 1\n", "bytes": "89504e47ff",
        })
    );
    assert_eq!(found["batch"]["errors"], json!({ "contacts": [] }));
    assert_eq!(found["batch"]["result"]["contacts"].as_array().map(Vec::len), Some(5));
    assert_eq!(found["type_errors"], json!(["data", "data"]), "the client itself can't call custom methods");
    let [call] = found["log"].as_array().map(Vec::as_slice).unwrap_or_default() else { panic!("{found}") };
    assert_eq!(
        (&call["route"], &call["method"], &call["path"], &call["status"]),
        (&json!("custom"), &json!("PUT"), &json!("/contacts/70"), &json!(200)),
        "{call}"
    );
}

fn calls_tools(found: &Value) {
    assert_eq!(found["begun"], "2024-11-05");
    assert_eq!(found["tools"], json!(["get_single_crm_contact_by_id", "list_all_crm_contacts"]));
    assert_eq!(found["called"], json!({ "id": "3", "name": "Contact 3" }));
    assert_eq!(found["ping"], json!({ "jsonrpc": "2.0", "id": "p", "result": {} }));
}

async fn manages_webhooks_and_receives_those_of_providers(world: &World, found: &Value) -> Result<()> {
    let target = world.receiver.url();
    assert_eq!(found["created"], json!({ "target_url": target, "event_types": ["record:*"], "is_active": true }));
    assert_eq!((&found["got"], &found["updated"]), (&json!(true), &json!(false)));
    assert_eq!(found["tested"], json!({ "success": true }));
    for holds in ["secret", "listed", "deleted"] {
        assert_eq!(found[holds], true, "{holds}");
    }
    assert_eq!(found["of_account"], json!([{ "challenge": "c-1" }, { "success": true }]));
    assert_eq!(found["of_integration"], json!([{ "challenge": "c-2" }, { "success": true }]));
    world.receiver.wait_for("test").await?;
    let event = world.receiver.wait_for("record:contact:created").await?;
    let payload = &event.body["payload"];
    assert_eq!(
        (&payload["contact"], &payload["integrated_account_id"]),
        (&json!({ "id": "9" }), &json!(world.account)),
        "{payload}"
    );
    world.receiver.wait_for_count(3).await.context("one event of each route, and the test")
}

fn maps_and_calls_unified_models(found: &Value) {
    let model = json!({ "name": "people", "category": "crm", "description": "Ours", "version": 2 });
    assert_eq!(found["model"], model);
    assert_eq!((&found["got_installation"], &found["installations"]), (&json!("people"), &json!(1)));
    assert_eq!(found["overridden"], json!({ "description": "Here" }));
    assert_eq!(found["first"], json!({ "id": "1", "full_name": "Contact 1" }));
    assert_eq!(found["remote"], json!({ "id": "1", "name": "Contact 1" }));
    assert_eq!((&found["created"], &found["updated"]), (&json!("Ada"), &json!("Ada L.")));
    for holds in ["models", "got_model", "installed", "ids", "deleted", "uninstalled", "deleted_model"] {
        assert_eq!(found[holds], true, "{holds}: {found}");
    }
    let missing = json!([404, "Not Found"]);
    assert_eq!((&found["gone"], &found["unmapped"]), (&missing, &missing));
}

async fn runs_sync_jobs(world: &World, found: &Value) -> Result<()> {
    let contacts = &found["contacts"];
    assert!(contacts.as_u64() > Some(1), "{found}");
    for (key, expected) in [
        ("job", json!({ "label": "Contacts", "integration_name": "crm", "default_runtime_version": 3 })),
        ("listed", json!(true)),
        ("got", json!(true)),
        ("updated", json!("All contacts")),
        ("refused", json!([400, "Bad Request"])),
        ("run", json!({ "status": "created", "args": { "from": "2026-01-31" }, "error_handling": "ignore" })),
        (
            "ended",
            json!({ "status": "completed", "resource_stats": { "contacts": { "list": { "fetched": contacts, "persisted": contacts } } } }),
        ),
        ("runs", json!(true)),
        ("no_runs", json!([])),
        ("over", json!([409, "Conflict"])),
        ("deleted_run", json!(true)),
        ("kept_run", json!(true)),
        ("triggers", json!(true)),
        ("inactive", json!(null)),
        ("scheduled", json!({ "success": true })),
        ("active", json!(true)),
        ("changed_trigger", json!(null)),
        ("deleted_trigger", json!(true)),
        ("gone", json!([404, "Not Found"])),
        ("deleted", json!(true)),
        ("log", json!([])),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
    let record = world.sync_receiver.wait_for("sync_job_run:record").await?;
    assert_eq!(record.body["payload"]["records"].as_array().map(Vec::len).map(Value::from).as_ref(), Some(contacts));
    world.sync_receiver.wait_for("sync_job_run:completed").await?;
    Ok(())
}

fn runs_workflows(found: &Value) {
    for (key, expected) in [
        ("created", json!(true)),
        ("listed", json!(true)),
        ("got", json!(true)),
        ("updated", json!("sync_job_run:completed")),
        ("deleted_workflow", json!(true)),
        ("refused", json!([400, "Bad Request"])),
        ("run", json!(true)),
        ("got_run", json!(true)),
        ("made", json!([true, "workflows"])),
        ("no_create", json!([405, "Method Not Allowed"])),
        ("no_update", json!([405, "Method Not Allowed"])),
        ("deleted", json!(true)),
        ("gone", json!([404, "Not Found"])),
        ("deleted_run", json!(true)),
        ("gone_run", json!([404, "Not Found"])),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
}

fn keeps_datastores(found: &Value) {
    let secrets = json!(["access_key_id", "secret_access_key"]);
    for (key, expected) in [
        ("created", json!({ "type": "s3", "label": "Exports", "secrets": secrets })),
        ("shown", json!(["base_url", "bucket", "region"])),
        ("listed", json!(true)),
        ("got", json!(true)),
        ("updated", json!("other")),
        ("lacking", json!([501, "Not Implemented"])),
        // Nobody listens there.
        ("tested", json!([502, "Bad Gateway"])),
        ("deleted", json!(true)),
        ("gone", json!([404, "Not Found"])),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
}

fn goes_on_without_what_relink_lacks(found: &Value) -> Result<()> {
    let members = found.as_object().context("no object")?;
    assert_eq!(members.len(), 6);
    for (member, outcomes) in members {
        for (method, outcome) in outcomes.as_object().context("no object")? {
            let expected = match method.as_str() {
                "list" => json!([]),
                "get" => json!([404, "Not Found"]),
                _ => json!([501, "Not Implemented"]),
            };
            assert_eq!(*outcome, expected, "{member}.{method}");
        }
    }
    Ok(())
}
