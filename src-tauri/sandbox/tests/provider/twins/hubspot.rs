use serde_json::json;

use crate::twin::{Oauth, Twin};

async fn hubspot() -> Twin {
    let oauth = Oauth {
        authorize: "/oauth/authorize",
        token: "/oauth/v1/token",
        redirect: "http://localhost:9/oauth/callback/hubspot",
        params: &[("scope", "oauth crm.objects.contacts.read crm.objects.contacts.write")],
        pkce: false,
        basic: false,
        json: false,
    };
    Twin::start("hubspot", oauth).await
}

#[tokio::test]
async fn the_error_code_of_a_refused_refresh_is_its_status() {
    for by_endpoint in [true, false] {
        let twin = hubspot().await;
        let tokens = twin.sign_in().await;
        assert_eq!(tokens["expires_in"], 1800);
        if by_endpoint {
            let path = format!("/oauth/v1/refresh-tokens/{}", tokens["refresh_token"].as_str().expect("a token"));
            assert_eq!(twin.http.delete(twin.at(&path)).send().await.expect("a response").status(), 204);
        } else {
            twin.revoke().await;
        }
        let refused = twin.refresh(&tokens["refresh_token"]).await;
        assert_eq!((refused.status, &refused.body["status"]), (400, &json!("BAD_REFRESH_TOKEN")));
        assert_eq!(refused.body.get("error"), None);
        let call = twin.get(&tokens["access_token"], "/account-info/v3/details").await;
        assert_eq!((call.status, &call.body["category"]), (401, &json!("INVALID_AUTHENTICATION")));
    }
}

#[tokio::test]
async fn records_have_paging_while_there_are_more_and_an_expired_token_its_own_category() {
    let twin = hubspot().await;
    let token = twin.sign_in().await["access_token"].clone();
    let first = twin.get(&token, "/crm/v3/objects/contacts?limit=50").await;
    assert_eq!(first.header("x-hubspot-ratelimit-remaining"), Some("109"));
    let after = first.body["paging"]["next"]["after"].as_str().expect("a cursor");
    let second = twin.get(&token, &format!("/crm/v3/objects/contacts?limit=50&after={after}")).await.body;
    assert_eq!((second["results"].as_array().map(Vec::len), second.get("paging")), (Some(10), None));
    let properties = json!({ "properties": { "email": "new@example.com" } });
    let made = twin.post(&token, "/crm/v3/objects/contacts", properties).await;
    assert_eq!((made.status, &made.body["properties"]["email"]), (201, &json!("new@example.com")));
    let id = made.body["id"].as_str().expect("a text");
    assert_eq!(twin.get(&token, &format!("/crm/v3/objects/contacts/{id}")).await.body, made.body);
    let refused = twin.get(&token, "/crm/v3/objects/deals").await;
    assert_eq!((refused.status, &refused.body["category"]), (403, &json!("MISSING_SCOPES")));
    twin.control("POST", "/control/expire", json!({})).await;
    assert_eq!(twin.get(&token, "/crm/v3/objects/contacts").await.body["category"], "EXPIRED_AUTHENTICATION");
}
