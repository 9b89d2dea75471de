use serde_json::json;

use crate::twin::{Answer, Oauth, Twin};

async fn notion() -> Twin {
    let oauth = Oauth {
        authorize: "/v1/oauth/authorize",
        token: "/v1/oauth/token",
        redirect: "http://127.0.0.1:9/oauth/callback/notion",
        params: &[("owner", "user")],
        pkce: false,
        basic: true,
        json: true,
    };
    Twin::start("notion", oauth).await
}

#[tokio::test]
async fn the_exchange_wants_basic_and_json_and_gives_a_token_that_never_expires() {
    let mut twin = notion().await;
    let tokens = twin.sign_in().await;
    assert_eq!((tokens.get("refresh_token"), tokens.get("expires_in")), (None, None));
    assert_eq!(tokens["workspace_name"], "Twin workspace");
    let code = twin.consent(&twin.request(), "ada").await["code"].clone();
    for (basic, json, error) in [(false, true, "invalid_client"), (true, false, "invalid_request")] {
        (twin.oauth.basic, twin.oauth.json) = (basic, json);
        assert_eq!(twin.exchange(&code).await.body["error"], error);
    }
    let mut request = twin.request();
    request.remove("owner");
    let refused = twin.authorize(&request).await;
    assert!(refused.header("location").is_some_and(|to| to.contains("error=invalid_request")));
}

#[tokio::test]
async fn each_call_names_its_version_and_the_search_pages_in_its_body() {
    let twin = notion().await;
    let token = twin.sign_in().await["access_token"].clone();
    let bearer = token.as_str().expect("a token");
    let search = async |body: serde_json::Value| {
        let request = twin.http.post(twin.at("/v1/search")).bearer_auth(bearer).header("notion-version", "2025-09-03");
        Answer::of(request.json(&body).send().await.expect("a response")).await
    };
    let first = search(json!({ "page_size": 100 })).await.body;
    assert_eq!((&first["has_more"], first["results"].as_array().map(Vec::len)), (&json!(true), Some(100)));
    let second = search(json!({ "page_size": 100, "start_cursor": first["next_cursor"] })).await.body;
    assert_eq!((&second["has_more"], &second["next_cursor"]), (&json!(false), &json!(null)));
    assert_eq!(second["results"].as_array().map(Vec::len), Some(20));
    assert_eq!(search(json!({ "start_cursor": "x" })).await.body["code"], "validation_error");
    let without = twin.get(&token, "/v1/users/me").await;
    assert_eq!((without.status, &without.body["code"]), (400, &json!("missing_version")));
    twin.revoke().await;
    let revoked = search(json!({})).await;
    assert_eq!((revoked.status, &revoked.body["code"]), (401, &json!("unauthorized")));
}
