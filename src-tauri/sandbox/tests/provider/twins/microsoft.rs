use serde_json::json;

use crate::twin::{Oauth, Twin};

async fn microsoft() -> Twin {
    let oauth = Oauth {
        authorize: "/common/oauth2/v2.0/authorize",
        token: "/common/oauth2/v2.0/token",
        redirect: "http://127.0.0.1:9/oauth/callback/microsoft",
        params: &[("scope", "offline_access User.Read Mail.Read")],
        pkce: true,
        basic: false,
        json: false,
    };
    Twin::start("microsoft", oauth).await
}

#[tokio::test]
async fn a_refresh_token_needs_its_scope() {
    let twin = microsoft().await;
    assert!(twin.sign_in().await["refresh_token"].is_string());
    let mut request = twin.request();
    request.insert("scope".into(), "User.Read".into());
    let code = twin.consent(&request, "ada").await["code"].clone();
    assert_eq!(twin.exchange(&code).await.body.get("refresh_token"), None);
}

#[tokio::test]
async fn an_access_token_outlives_its_sign_in_and_the_refresh_says_which_error_it_is() {
    let twin = microsoft().await;
    let tokens = twin.sign_in().await;
    twin.revoke().await;
    assert_eq!(twin.get(&tokens["access_token"], "/v1.0/me").await.body["userPrincipalName"], "ada@twin.example");
    let refused = twin.refresh(&tokens["refresh_token"]).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_grant")));
    assert_eq!(refused.body["error_codes"], json!([50173]));
    twin.control("POST", "/control/expire", json!({})).await;
    let call = twin.get(&tokens["access_token"], "/v1.0/me").await;
    assert_eq!((call.status, &call.body["error"]["code"]), (401, &json!("InvalidAuthenticationToken")));
}

#[tokio::test]
async fn the_next_link_is_the_whole_url_of_the_next_page() {
    let twin = microsoft().await;
    let token = twin.sign_in().await["access_token"].clone();
    let (mut url, mut subjects) = (twin.at("/v1.0/me/messages?$top=15"), Vec::new());
    loop {
        let page = twin.get(&token, &url).await.body;
        subjects.extend(page["value"].as_array().expect("a list").iter().map(|message| message["subject"].clone()));
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        url = next.to_owned();
    }
    assert_eq!(subjects, (1..=35).map(|n| json!(format!("Message {n}"))).collect::<Vec<_>>());
    assert_eq!(twin.get(&token, "/v1.0/me/events").await.status, 403, "a scope is missing");
}
