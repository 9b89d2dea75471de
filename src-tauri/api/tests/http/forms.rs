//! `RapidForm`: what a person fills in after a sign-in (contract section 2.2), with a real provider, real requests and JSONata.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    form_provider::{KEY, Provider, Story},
    observed::until_is,
    world::World,
};

const PIN: &str = "pin-canary-42";

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
    });
    let mut with_more = filled.clone();
    with_more["additional_context"] = json!({ "from": "app" });
    let (status, refused) = story.submit(&token, with_more).await;
    assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!("additional_context_refused")));
    let (status, body) = story.submit(&token, filled.clone()).await;
    assert_eq!((status, &body), (StatusCode::OK, &json!({ "result": "submitted", "redirect_uri": null })));
    let account = story.world.get(&format!("/integrated-account/{id}")).await;
    let stored = json!({ "region": "eu", "workspace_id": "w-1", "projects": [0, 5], "mode": "new", "agreed": true });
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
    assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("form_options_failed")), "{body}");
    assert!(
        body["message"].as_str().is_some_and(|it| it.contains("no unified mapping ticketing/tickets list")),
        "{body}"
    );
    story.map_tickets().await;
    story.provider.asked();
    let (status, body) = options(json!({ "field": "tickets" })).await;
    assert_eq!(
        (status, &body["options"][1]),
        (StatusCode::OK, &json!({ "value": "w-2", "label": "Ticket w-2", "sub_text": null })),
        "{body}"
    );
    assert_eq!(story.provider.asked().len(), 1);
    story.provider.answer(403);
    let (status, body) = options(json!({ "field": "workspace_id" })).await;
    assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("form_options_failed")));
    let message = body["message"].as_str().expect("a message");
    assert!(message.contains("answered 403") && !body.to_string().contains(KEY), "{body}");
    let (status, _) = options(json!({ "field": "nothing" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn options_are_only_read() {
    let form = |method: &str| {
        json!({ "fields": [{ "name": "team", "type": "single_select", "label": "Team",
            "data_source": { "resource": "teams", "method": method, "query": { "_method": "DELETE" } }, "options": { "value": "id", "label": "name" } }] })
    };
    let definition = |provider: &Provider, method: &str| {
        let mut definition = provider.definition(&form(method));
        definition["config"]["resources"]["teams"] = json!({
            "list": { "path": "/teams" },
            "create": { "path": "/teams", "method": "post" },
        });
        json!({ "text": definition.to_string() })
    };
    // A method that writes is refused with the definition.
    let (world, provider) = (World::new().await, Provider::start().await);
    let (status, refused) =
        world.as_person(Method::POST, "/relink/integrations", definition(&provider, "create")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("options are only read")), "{refused}");

    // And one that asks for another method than its own when it is called, with any account.
    let (status, added) = world.as_person(Method::POST, "/relink/integrations", definition(&provider, "list")).await;
    assert!(status.is_success(), "{added}");
    let story = Story { world, provider };
    let (id, token) = story.connected().await;
    for is_marked in [false, true] {
        if is_marked {
            story.world.post("/sandbox-integrated-account", json!({ "id": id })).await;
        }
        story.provider.asked();
        let (status, body) = story.page(&token, Method::POST, "/options", json!({ "field": "team" })).await;
        assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("form_options_failed")));
        assert!(body["message"].as_str().is_some_and(|text| text.contains("only calls that read")), "{body}");
        assert_eq!(story.provider.asked(), Vec::<String>::new(), "nothing was sent");
    }
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
    // The app adds what it could change itself, but no credential, and nothing that the person fills in.
    let more = json!({
        "values": { "workspace_id": "w-2", "projects": [2] },
        "additional_context": { "from": "app", "token": "t-canary", "projects": "overwritten", "mode": { "a": 1 } },
    });
    let (_, body) = story.submit(&token, more).await;
    assert_eq!(body["result"], "submitted", "{body}");
    let context = story.world.get(&format!("/integrated-account/{id}")).await["context"].clone();
    let stored = json!({ "region": "eu", "workspace_id": "w-2", "projects": [2], "agreed": false, "from": "app" });
    assert_eq!(context, stored);
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
    let (_, made) = story.world.as_person(Method::POST, "/relink/api-tokens", json!({ "name": "small" })).await;
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
async fn a_new_link_of_the_person_takes_the_place_of_their_last_one_for_the_form() {
    let story = Story::new().await;
    let (id, _) = story.connected().await;
    let body = json!({ "integrated_account_id": id });
    let (form, reauthorize) = ("/link-token/post-connect-form", "/link-token");
    let of_program = story.world.post(form, body.clone()).await;
    let of_person = async |path: &str| story.world.as_person(Method::POST, path, body.clone()).await.1;
    let (first, other, second) = (of_person(form).await, of_person(reauthorize).await, of_person(form).await);
    let opened = async |link: &Value| {
        let token = link["link_token"].as_str().unwrap_or_else(|| panic!("{link}"));
        let (status, answer) = story.page(token, Method::GET, "", Value::Null).await;
        (status, answer["code"].clone())
    };
    assert_eq!(opened(&first).await, (StatusCode::NOT_FOUND, json!("link_token_revoked")));
    for link in [&of_program, &second] {
        assert_eq!(opened(link).await, (StatusCode::OK, Value::Null));
    }
    let session = story.world.client.get(format!("{}/connect-account/session", story.world.base()));
    let other = other["link_token"].as_str().expect("a token");
    let session = session.header("x-relink-link-token", other).send().await.expect("an answer");
    assert_eq!(session.status(), StatusCode::OK, "one that reauthorizes stays");
}

#[tokio::test]
async fn a_link_that_an_account_token_made_ends_with_it() {
    let story = Story::new().await;
    let (id, _) = story.connected().await;
    let new = json!({ "name": "maker", "level": "full" });
    let (_, maker) = story.world.as_person(Method::POST, "/relink/api-tokens", new).await;
    let secret = maker["token"].as_str().unwrap_or_else(|| panic!("{maker}"));
    let (_, made) = story
        .world
        .ask_with(secret, Method::POST, "/integrated-account/token", json!({ "integrated_account_id": id }))
        .await;
    let account_token = made["token"].as_str().expect("a token");
    let (_, link) = story.world.ask_with(account_token, Method::POST, "/link-token/post-connect-form", json!({})).await;
    let link = link["link_token"].as_str().unwrap_or_else(|| panic!("{link}"));
    let (status, form) = story.page(link, Method::GET, "", Value::Null).await;
    assert_eq!((status, &form["requested_by"]["program"]), (StatusCode::OK, &json!("maker")), "{form}");
    let (_, links) = story.world.as_person(Method::GET, "/relink/links", Value::Null).await;
    let [made_at, ends_at] =
        ["created_at", "expires_at"].map(|it| links["result"][0][it].as_str().expect("a time").to_owned());
    let seconds = |text: &str| text.parse::<relink_domain::Timestamp>().expect("a time").as_millis() / 1000;
    assert!(seconds(&ends_at) - seconds(&made_at) <= 15 * 60, "{links}");
    let path = format!("/relink/api-tokens/{}", maker["id"].as_str().expect("an id"));
    story.world.as_person(Method::DELETE, &path, Value::Null).await;
    let (status, body) = story.page(link, Method::GET, "", Value::Null).await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("link_token_ended")), "{body}");
}

#[tokio::test]
async fn two_pages_that_submit_at_the_same_time_give_one_event() {
    let story = Story::new().await;
    let (id, token) = story.connected().await;
    let filled = |project: u32| json!({ "values": { "workspace_id": "w-1", "projects": [project] } });
    let (one, two) = tokio::join!(story.submit(&token, filled(1)), story.submit(&token, filled(2)));
    let mut answers =
        [one, two].map(|(status, body)| (status.as_u16(), body["result"].is_string(), body["code"].clone()));
    answers.sort_by_key(|(status, ..)| *status);
    assert_eq!(answers, [(200, true, Value::Null), (409, false, json!("form_submitted"))]);
    assert_eq!(story.events().await, ["created", "active", "post_connect_form_submitted"]);
    assert_eq!(story.world.get(&format!("/integrated-account/{id}")).await["context"]["workspace_id"], "w-1");
}

#[tokio::test]
async fn a_password_stays_with_a_reauthorization_that_keeps_the_context() {
    let story = Story::new().await;
    let (id, token) = story.connected().await;
    let filled = json!({ "values": { "workspace_id": "w-1", "projects": [1] }, "secrets": { "pin": PIN } });
    story.submit(&token, filled).await;
    for (persists, pin) in [(true, format!(" pin {PIN}")), (false, String::new())] {
        let link = json!({ "integrated_account_id": id, "persist_previous_context": persists });
        let link = story.world.post("/link-token", link).await;
        let asked = json!({ "integration": "acme", "format": "api_key", "fields": { "api_key": KEY }, "skip_rapid_form": true });
        let begun = story.world.begin(&link, asked).await;
        assert_eq!(story.world.until_ended(&begun).await["phase"], "succeeded");
        story.provider.asked();
        story.world.get(&format!("/proxy/workspaces?integrated_account_id={id}")).await;
        assert_eq!(story.provider.asked(), [format!("/workspaces{pin}")], "{persists}");
    }
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
