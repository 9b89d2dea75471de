//! `RapidForm`: what a person fills in after a sign-in (contract section 2.2), with a real provider, real requests and JSONata.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    form_provider::{KEY, Provider, form},
    observed::until_is,
    world::World,
};

const PIN: &str = "pin-canary-42";

struct Story {
    world: World,
    provider: Provider,
}

impl Story {
    async fn new() -> Self {
        Self::with_form(&form()).await
    }

    async fn with_form(form: &Value) -> Self {
        let (world, provider) = (World::new().await, Provider::start().await);
        let text = provider.definition(form).to_string();
        let (status, body) = world.as_person(Method::POST, "/relink/integrations", json!({ "text": text })).await;
        assert!(status.is_success(), "{body}");
        Self { world, provider }
    }

    /// Connects an account. The flow, as its page sees it.
    async fn connect(&self, more: &Value) -> (Value, Value) {
        let link =
            self.world.post("/link-token", json!({ "tenant_id": "acme-1", "context": { "region": "eu" } })).await;
        let mut asked = json!({ "integration": "acme", "format": "api_key", "fields": { "api_key": KEY } });
        asked.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let begun = self.world.begin(&link, asked).await;
        let ended = self.world.until_ended(&begun).await;
        assert_eq!(ended["phase"], "succeeded", "{ended}");
        (begun, ended)
    }

    async fn connected(&self) -> (String, String) {
        let (_, ended) = self.connect(&json!({})).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{ended}")).to_owned();
        (text(&ended["outcome"]["account"]["id"]), text(&ended["outcome"]["form_token"]))
    }

    /// A request of the form's page.
    async fn page(&self, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/connect-account/form{path}", self.world.base());
        let mut request = self.world.client.request(method, url).header("x-relink-form-token", token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    async fn submit(&self, token: &str, body: Value) -> (StatusCode, Value) {
        self.page(token, Method::POST, "", body).await
    }

    async fn events(&self) -> Vec<String> {
        let events = self.world.get("/relink/events?after=0&limit=500").await;
        let events = events["result"].as_array().expect("events").clone();
        let name = |event: &Value| event["event"].as_str().or_else(|| event["kind"].as_str()).map(str::to_owned);
        assert!(!json!(events).to_string().contains("canary"), "{events:?}");
        events
            .iter()
            .filter_map(name)
            .filter_map(|it| it.strip_prefix("integrated_account:").map(str::to_owned))
            .collect()
    }

    async fn account_token(&self, account: &str) -> String {
        let made = self.world.post("/integrated-account/token", json!({ "integrated_account_id": account })).await;
        made["token"].as_str().expect("a token").to_owned()
    }

    /// Opens the form with an account token, as the Link SDK does. The page's token, or the status of a page that explains.
    async fn open(&self, account_token: &str) -> Result<String, StatusCode> {
        let query =
            [("integrated_account_session_token", account_token), ("iframe", "true"), ("truto_disabled_fields", "{}")];
        let url = format!("{}/connect-account/post-connect", self.world.base());
        let answer = self.world.client.get(url).query(&query).send().await.expect("an answer");
        if answer.status() != StatusCode::SEE_OTHER {
            return Err(answer.status());
        }
        let location = answer.headers()["location"].to_str().expect("a URL").to_owned();
        assert!(!location.contains(account_token), "the token is in no address bar");
        let (path, query) = location.split_once('?').expect("a query");
        assert_eq!(query, "iframe=true&truto_disabled_fields=%7B%7D");
        let nonce = path.strip_prefix("/connect-account/post-connect/open/").expect("a nonce");
        let opened = self.world.client.get(format!("{}{location}", self.world.base())).send().await.expect("an answer");
        assert_eq!(opened.status(), StatusCode::OK);
        let exchange = self.world.client.post(format!("{}/connect-account/open", self.world.base()));
        let exchanged = exchange.json(&json!({ "nonce": nonce })).send().await.expect("an answer");
        let exchanged: Value = exchanged.json().await.expect("JSON");
        Ok(exchanged["page_token"].as_str().unwrap_or_else(|| panic!("{exchanged}")).to_owned())
    }
}

#[tokio::test]
async fn a_form_follows_the_sign_in_and_its_values_go_into_the_context_with_one_event() {
    let story = Story::new().await;
    let (id, token) = story.connected().await;
    let (status, session) = story.page(&token, Method::GET, "", Value::Null).await;
    assert_eq!(
        (status, &session["account"]["id"], &session["integration"]),
        (StatusCode::OK, &json!(id), &json!("acme"))
    );
    assert_eq!(
        (&session["tenant_id"], &session["values"], &session["kept"]),
        (&json!("acme-1"), &json!({}), &json!([]))
    );
    let field = &session["fields"][1];
    assert_eq!((&field["type"], &field["options"]), (&json!("multi_select"), &Value::Null));
    assert_eq!(field["disabled_text"], "Select a workspace first");
    assert_eq!(session["fields"][3]["options"][1], json!({ "value": "new", "label": "new", "sub_text": null }));

    let filled = json!({
        "values": { "workspace_id": "w-1", "projects": [0, 5], "mode": "new", "agreed": true },
        "secrets": { "pin": PIN },
        "additional_context": { "from": "app", "token": "t-canary", "projects": "overwritten" },
    });
    let (status, body) = story.submit(&token, filled.clone()).await;
    assert_eq!((status, &body), (StatusCode::OK, &json!({ "result": "submitted", "redirect_uri": null })));
    let account = story.world.get(&format!("/integrated-account/{id}")).await;
    let stored = json!({ "region": "eu", "from": "app", "workspace_id": "w-1", "projects": [0, 5], "mode": "new", "agreed": true });
    assert_eq!(account["context"], stored);
    assert_eq!(story.events().await, ["created", "active", "post_connect_form_submitted"]);
    let timeline = story.world.get(&format!("/relink/timeline?account={id}")).await;
    assert_eq!(timeline["result"][0]["title"], "Form submitted", "{timeline}");
    assert!(!timeline.to_string().contains("canary") && !account.to_string().contains("canary"));

    // The password is among what calls are made with, and in no context.
    story.provider.asked();
    let (status, called) =
        story.world.ask(Method::GET, &format!("/proxy/workspaces?integrated_account_id={id}"), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{called}");
    assert_eq!(story.provider.asked(), [format!("/workspaces pin {PIN}")]);
    let (status, again) = story.submit(&token, filled).await;
    assert_eq!((status, &again["code"]), (StatusCode::CONFLICT, &json!("form_submitted")), "a form is sent once");
}

#[tokio::test]
async fn options_come_from_the_provider_and_its_lists_are_followed_to_the_end() {
    let story = Story::new().await;
    let (_, token) = story.connected().await;
    let options = async |body: Value| story.page(&token, Method::POST, "/options", body).await;
    story.provider.asked();
    let (status, body) = options(json!({ "field": "workspace_id" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let offered = json!([{ "value": "w-1", "label": "Acme", "sub_text": "w-1" }, { "value": "w-2", "label": "w-2", "sub_text": "w-2" }]);
    assert_eq!((status, &body["options"]), (StatusCode::OK, &offered), "each once, and none without a value");
    story.provider.asked();
    let (status, body) = options(json!({ "field": "projects", "values": { "workspace_id": "w-1" } })).await;
    let shown: Vec<_> =
        body["options"].as_array().expect("options").iter().map(|it| (&it["value"], &it["sub_text"])).collect();
    assert_eq!((status, shown.len()), (StatusCode::OK, 6), "{body}");
    assert_eq!(shown[5], (&json!(5), &json!("P5")), "of the last page; a number stays one");
    let asked = story.provider.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for (page, asked) in asked.iter().enumerate() {
        assert!(
            asked.contains("workspace=w-1") && asked.contains("region=eu"),
            "the form's value and the context's: {asked}"
        );
        assert!(page == 0 || asked.contains(&format!("page={page}")), "{asked}");
    }
    let (status, body) = options(json!({ "field": "tickets" })).await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_IMPLEMENTED, &json!("form_options_failed")), "{body}");
    story.provider.answer(403);
    let (status, body) = options(json!({ "field": "workspace_id" })).await;
    assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("form_options_failed")));
    let message = body["message"].as_str().expect("a message");
    assert!(message.contains("answered 403") && !body.to_string().contains(KEY), "{body}");
    let (status, _) = options(json!({ "field": "nothing" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mistakes_are_named_at_their_fields_and_nothing_is_stored() {
    let story = Story::new().await;
    let (id, token) = story.connected().await;
    for (values, field, message) in [
        (json!({}), "workspace_id", "Select an option."),
        (json!({ "workspace_id": "w-1" }), "projects", "Select at least one."),
        (json!({ "workspace_id": "w-1", "projects": [1], "mode": "other" }), "mode", "Select one of the options."),
        (json!({ "workspace_id": "w-1", "projects": [1, 2, 3, 4] }), "projects", "Select at most 3 projects"),
    ] {
        let (status, body) = story.submit(&token, json!({ "values": values })).await;
        let expected = json!({ "result": "invalid", "problems": [{ "field": field, "message": message }] });
        assert_eq!((status, body), (StatusCode::OK, expected));
    }
    assert_eq!(story.world.get(&format!("/integrated-account/{id}")).await["context"], json!({ "region": "eu" }));
    assert_eq!(story.events().await, ["created", "active"]);
    // What the validation sees of three of them.
    let (_, body) = story.submit(&token, json!({ "values": { "workspace_id": "w-1", "projects": [1, 2, 3] } })).await;
    assert_eq!(body["result"], "submitted", "{body}");
}

#[tokio::test]
async fn a_form_opens_with_an_account_token_until_that_ends() {
    let story = Story::new().await;
    let (id, _) = story.connected().await;
    let account_token = story.account_token(&id).await;
    let token = story.open(&account_token).await.expect("opened");
    let submit = async |values: Value| story.submit(&token, json!({ "values": values })).await;
    let (_, body) = submit(json!({ "workspace_id": "w-1", "projects": [1] })).await;
    assert_eq!(body["result"], "submitted");
    // It can be filled in again, and shows what is there.
    let (_, session) = story.page(&token, Method::GET, "", Value::Null).await;
    assert_eq!(session["values"], json!({ "workspace_id": "w-1", "projects": [1], "agreed": false }), "{session}");
    let (_, body) = submit(json!({ "workspace_id": "w-2", "projects": [2] })).await;
    assert_eq!(body["result"], "submitted", "{body}");
    assert_eq!(
        story.events().await,
        ["created", "active", "post_connect_form_submitted", "post_connect_form_submitted"]
    );

    for (unknown, code) in [("nothing", "form_token_unknown"), (account_token.as_str(), "form_token_unknown")] {
        let (status, body) = story.page(unknown, Method::GET, "", Value::Null).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::CONFLICT, &json!(code)),
            "only a page's token is taken: {unknown}"
        );
    }
    assert_eq!(story.open("nothing").await, Err(StatusCode::NOT_FOUND), "a page that explains");
    story.world.ask(Method::DELETE, &format!("/integrated-account/{id}"), Value::Null).await;
    let (status, _) = story.page(&token, Method::GET, "", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "the account is gone");
}

#[tokio::test]
async fn a_token_that_may_not_change_the_account_shows_no_form() {
    let story = Story::new().await;
    let (id, _) = story.connected().await;
    let (_, made) = story
        .world
        .as_person(Method::POST, "/relink/api-tokens", json!({ "name": "small", "permission": "program" }))
        .await;
    let small = made["token"].as_str().unwrap_or_else(|| panic!("{made}"));
    let body = json!({ "integrated_account_id": id });
    let (_, made) = story.world.ask_with(small, Method::POST, "/integrated-account/token", body.clone()).await;
    let account_token = made["token"].as_str().expect("a token");
    assert_eq!(story.open(account_token).await, Err(StatusCode::NOT_FOUND));
    let (status, refused) = story.page(account_token, Method::GET, "", Value::Null).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{refused}");
    for token in [small, account_token] {
        let (status, refused) =
            story.world.ask_with(token, Method::POST, "/link-token/post-connect-form", body.clone()).await;
        assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{refused}");
    }
}

#[tokio::test]
async fn a_link_opens_the_form_alone_and_once() {
    let story = Story::new().await;
    let (id, _) = story.connected().await;
    let account_token = story.account_token(&id).await;
    let path = "/link-token/post-connect-form";
    let (status, own) = story.world.ask_with(&account_token, Method::POST, path, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{own}");
    let (status, refused) = story.world.ask(Method::POST, path, json!({})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!("account_missing")));
    let link = story.world.post(path, json!({ "integrated_account_id": id })).await;
    let token = link["link_token"].as_str().expect("a token");
    let session = story.world.client.get(format!("{}/connect-account/session", story.world.base()));
    let session: Value =
        session.header("x-relink-link-token", token).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&session["purpose"], &session["integrations"]), (&json!("post_connect_form"), &json!([])));
    let begun = story
        .world
        .begin(&link, json!({ "integration": "acme", "format": "api_key", "fields": { "api_key": "k" } }))
        .await;
    assert_eq!(begun["code"], "link_for_form", "nothing is connected with it: {begun}");

    let (_, form) = story.page(token, Method::GET, "", Value::Null).await;
    assert_eq!(form["requested_by"]["program"], "test", "{form}");
    let filled = json!({ "values": { "workspace_id": "w-1", "projects": [1] } });
    let (_, body) = story.submit(token, filled.clone()).await;
    assert_eq!(body["result"], "submitted", "{body}");
    let (status, body) = story.submit(token, filled).await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("link_token_used")));
    let (_, links) = story.world.as_person(Method::GET, "/relink/links", Value::Null).await;
    let shown: Vec<_> =
        links["result"].as_array().expect("links").iter().map(|it| (&it["purpose"], &it["status"])).collect();
    assert_eq!(shown[0], (&json!("post_connect_form"), &json!("used")), "{links}");
}

#[tokio::test]
async fn there_is_no_form_where_none_is_set_up_skipped_or_possible() {
    let story = Story::new().await;
    let (_, ended) = story.connect(&json!({ "skip_rapid_form": true })).await;
    assert_eq!(ended["outcome"]["form_token"], Value::Null, "skipped");
    let id = ended["outcome"]["account"]["id"].as_str().expect("an id").to_owned();
    let token = story.open(&story.account_token(&id).await).await.expect("opened");
    // The provider refuses a call, so that the account needs its person.
    story.provider.answer(401);
    story.world.ask(Method::GET, &format!("/proxy/workspaces?integrated_account_id={id}"), Value::Null).await;
    until_is(&story.world, &id, "needs_reauth", Some("rejected"), "the form").await;
    let (status, body) = story.page(&token, Method::GET, "", Value::Null).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("account_not_active")), "{body}");
    assert!(body["message"].as_str().is_some_and(|text| text.contains("needs_reauth")), "{body}");
    let (status, body) = story.submit(&token, json!({ "values": { "workspace_id": "w-1", "projects": [1] } })).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("account_not_active")));

    let world = World::new().await;
    world.sandbox().await;
    let id = world.account("acme-1").await;
    let (status, body) =
        world.ask(Method::POST, "/link-token/post-connect-form", json!({ "integrated_account_id": id })).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("form_not_set_up")), "{body}");
}

#[tokio::test]
async fn an_installation_sets_up_the_form_and_a_condition_can_say_no() {
    let story = Story::with_form(&json!({ "fields": [] })).await;
    let installed = story.world.get("/environment-integration").await;
    let installed = installed["result"].as_array().expect("rows").iter().find(|it| it["integration"]["name"] == "acme");
    let id = installed.and_then(|it| it["id"].as_str()).expect("installed").to_owned();
    let step = |condition: &str| json!({ "type": "form", "run_if": condition, "config": { "fields": [{ "name": "team", "type": "text", "required": true }] } });
    for (condition, is_shown) in [("context.region = 'eu'", true), ("context.region = 'us'", false)] {
        let over = json!({ "actions": { "post_connect_user_form": { "steps": [step(condition)] } } });
        let path = format!("/environment-integration/{id}");
        let (status, changed) = story.world.as_person(Method::PATCH, &path, json!({ "override": over })).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        let (_, ended) = story.connect(&json!({})).await;
        assert_eq!(ended["outcome"]["form_token"].is_string(), is_shown, "{condition}");
        if let Some(token) = ended["outcome"]["form_token"].as_str() {
            let (_, session) = story.page(token, Method::GET, "", Value::Null).await;
            assert_eq!(session["fields"][0]["name"], "team", "{session}");
        }
    }
}
