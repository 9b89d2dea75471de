use serde_json::json;

use crate::twin::{Oauth, Twin};

async fn salesforce() -> Twin {
    let oauth = Oauth {
        authorize: "/services/oauth2/authorize",
        token: "/services/oauth2/token",
        redirect: "app.relink.desktop:/oauth/callback/salesforce",
        params: &[("scope", "api refresh_token openid")],
        pkce: true,
        basic: false,
        json: false,
    };
    Twin::start("salesforce", oauth).await
}

#[tokio::test]
async fn the_answer_names_the_instance_and_no_lifetime_and_refresh_tokens_rotate() {
    let twin = salesforce().await;
    let first = twin.sign_in().await;
    assert_eq!((&first["instance_url"], first.get("expires_in")), (&json!(twin.at("")), None));
    let second = twin.refresh(&first["refresh_token"]).await.body;
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let refused = twin.refresh(&first["refresh_token"]).await;
    assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_grant")));
    let form = [("token", second["refresh_token"].as_str().expect("a token"))];
    let revoked = twin.http.post(twin.at("/services/oauth2/revoke")).form(&form).send().await.expect("a response");
    assert_eq!(revoked.status(), 200);
    let call = twin.get(&second["access_token"], "/services/oauth2/userinfo").await;
    assert_eq!((call.status, &call.body[0]["errorCode"]), (401, &json!("INVALID_SESSION_ID")));
}

#[tokio::test]
async fn a_query_goes_on_at_its_next_records_url() {
    let twin = salesforce().await;
    let token = twin.sign_in().await["access_token"].clone();
    let mut path = "/services/data/v62.0/query?q=SELECT+Id+FROM+Contact".to_owned();
    let mut names = Vec::new();
    loop {
        let page = twin.get(&token, &path).await;
        assert!(page.header("sforce-limit-info").is_some_and(|usage| usage.ends_with("/15000")));
        names.extend(page.body["records"].as_array().expect("a list").iter().map(|it| it["LastName"].clone()));
        assert_eq!((&page.body["totalSize"], page.body["done"] == json!(true)), (&json!(450), names.len() == 450));
        let Some(next) = page.body["nextRecordsUrl"].as_str() else { break };
        path = next.to_owned();
    }
    assert_eq!(names, (1..=450).map(|n| json!(format!("Last {n}"))).collect::<Vec<_>>());
    let made = twin.post(&token, "/services/data/v62.0/sobjects/Account", json!({ "Name": "New" })).await;
    assert_eq!((made.status, &made.body["success"]), (201, &json!(true)));
    let path = format!("/services/data/v62.0/sobjects/Account/{}", made.body["id"].as_str().expect("an ID"));
    assert_eq!(twin.get(&token, &path).await.body["Name"], "New");
    let refused = twin.post(&token, "/services/data/v62.0/sobjects/Contact", json!({ "FirstName": "A" })).await;
    assert_eq!((refused.status, &refused.body[0]["fields"]), (400, &json!(["LastName"])));
}
