use serde_json::{Value, json};

use crate::twin::{Oauth, Twin};

async fn slack() -> Twin {
    let oauth = Oauth {
        authorize: "/oauth/v2/authorize",
        token: "/api/oauth.v2.access",
        redirect: "app.relink.desktop:/oauth/callback/slack",
        params: &[("user_scope", "channels:read,users:read")],
        pkce: true,
        basic: false,
        json: false,
    };
    Twin::start("slack", oauth).await
}

#[tokio::test]
async fn a_users_token_is_deeper_in_the_answer_to_a_code_and_at_the_top_of_one_to_a_refresh() {
    let twin = slack().await;
    let first = twin.sign_in().await;
    assert_eq!((&first["ok"], first.get("access_token")), (&json!(true), None));
    let user = &first["authed_user"];
    assert_eq!((&user["scope"], &user["expires_in"]), (&json!("channels:read,users:read"), &json!(43200)));
    let second = twin.refresh(&user["refresh_token"]).await;
    assert_eq!((&second.body["token_type"], second.body.get("authed_user")), (&json!("user"), None));
    let again = twin.refresh(&user["refresh_token"]).await;
    assert_eq!((again.status, again.body), (200, json!({ "ok": false, "error": "invalid_refresh_token" })));
    let who = twin.get(&second.body["access_token"], "/api/auth.test").await;
    assert_eq!((&who.body["ok"], &who.body["user_id"]), (&json!(true), &json!("U0TWINADA")));
}

#[tokio::test]
async fn every_error_but_the_rate_limit_has_status_200() {
    let twin = slack().await;
    let token = twin.sign_in().await["authed_user"]["access_token"].clone();
    let error = async |path: &str| {
        let answer = twin.get(&token, path).await;
        assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(false)), "{path}");
        answer.body
    };
    assert_eq!(error("/api/conversations.info?channel=C1").await["error"], "channel_not_found");
    assert_eq!(error("/api/conversations.list?cursor=nobodys").await["error"], "invalid_cursor");
    assert_eq!(error("/api/files.everything").await["error"], "unknown_method");
    let missing = error("/api/conversations.history?channel=C0TWIN1").await;
    assert_eq!(
        (&missing["error"], &missing["provided"]),
        (&json!("missing_scope"), &json!("channels:read,users:read"))
    );
    twin.control("POST", "/control/faults", json!({ "kind": "too_many_requests", "on": "api", "retry_after": 7 }))
        .await;
    let limited = twin.get(&token, "/api/auth.test").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!(limited.body["error"], "ratelimited");
    assert_eq!(twin.get(&json!("xoxp-nobody"), "/api/auth.test").await.body["error"], "invalid_auth");
    twin.control("POST", "/control/expire", json!({})).await;
    assert_eq!(error("/api/auth.test").await["error"], "token_expired");
    twin.revoke().await;
    assert_eq!(error("/api/auth.test").await["error"], "token_revoked");
}

#[tokio::test]
async fn lists_end_with_an_empty_cursor() {
    let twin = slack().await;
    let token = twin.sign_in().await["authed_user"]["access_token"].clone();
    let (mut cursor, mut sizes) = (String::new(), Vec::new());
    loop {
        let page = twin.get(&token, &format!("/api/conversations.list?limit=80&cursor={cursor}")).await.body;
        sizes.push(page["channels"].as_array().map(Vec::len));
        let Value::String(next) = page["response_metadata"]["next_cursor"].clone() else { panic!("{page}") };
        if next.is_empty() {
            break;
        }
        cursor = next;
    }
    assert_eq!(sizes, [Some(80), Some(80), Some(50)]);
    let form = twin.http.post(twin.at("/api/conversations.info")).bearer_auth(token.as_str().expect("a token"));
    let form = form.form(&[("channel", "C0TWIN3")]).send().await.expect("a response");
    assert_eq!(form.json::<Value>().await.expect("JSON")["channel"]["name"], "channel-3", "arguments in a form");
}

#[tokio::test]
async fn a_redirect_to_the_web_is_refused_and_so_is_a_sign_in_without_pkce() {
    let twin = slack().await;
    let mut request = twin.request();
    request.insert("redirect_uri".into(), "http://example.com/back".into());
    assert_eq!(twin.authorize(&request).await.status, 400);
    let mut request = twin.request();
    request.remove("code_challenge");
    let refused = twin.authorize(&request).await;
    assert!(refused.header("location").is_some_and(|to| to.contains("error=invalid_request")));
}
