use serde_json::json;

use crate::twin::{Oauth, Twin};

async fn jira() -> Twin {
    let oauth = Oauth {
        authorize: "/authorize",
        token: "/oauth/token",
        redirect: "http://127.0.0.1:9/oauth/callback/jira",
        params: &[
            ("scope", "offline_access read:jira-work write:jira-work"),
            ("audience", "api.atlassian.com"),
            ("prompt", "consent"),
        ],
        pkce: false,
        basic: false,
        json: true,
    };
    Twin::start("jira", oauth).await
}

#[tokio::test]
async fn a_refresh_ends_the_access_token_before_and_a_revoked_one_is_a_403() {
    let twin = jira().await;
    let first = twin.sign_in().await;
    let sites = "/oauth/token/accessible-resources";
    let second = twin.refresh(&first["refresh_token"]).await.body;
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(twin.get(&first["access_token"], sites).await.status, 200);
    twin.control("PATCH", "/control", json!({ "clock_skew_secs": 660 })).await;
    assert_eq!(twin.get(&first["access_token"], sites).await.status, 401, "after ten minutes");
    assert_eq!(twin.get(&second["access_token"], sites).await.status, 200);
    twin.revoke().await;
    let refused = twin.refresh(&second["refresh_token"]).await;
    assert_eq!((refused.status, &refused.body["error"]), (403, &json!("invalid_grant")));
}

#[tokio::test]
async fn the_site_leads_to_its_issues_which_are_searched_and_created() {
    let twin = jira().await;
    let token = twin.sign_in().await["access_token"].clone();
    let sites = twin.get(&token, "/oauth/token/accessible-resources").await.body;
    let api = format!("/ex/jira/{}/rest/api/3", sites[0]["id"].as_str().expect("an ID"));
    let first = twin.get(&token, &format!("{api}/search/jql?jql=project%3DTWIN1&maxResults=100")).await.body;
    let next = first["nextPageToken"].as_str().expect("a token");
    let second = twin.get(&token, &format!("{api}/search/jql?jql=x&maxResults=100&nextPageToken={next}")).await.body;
    assert_eq!((second["issues"].as_array().map(Vec::len), &second["isLast"]), (Some(30), &json!(true)));
    assert_eq!(twin.get(&token, &format!("{api}/search/jql")).await.status, 400, "unbounded");
    let projects = twin.get(&token, &format!("{api}/project/search?startAt=50")).await.body;
    assert_eq!((projects["values"].as_array().map(Vec::len), &projects["total"]), (Some(10), &json!(60)));
    let fields = json!({ "summary": "New", "project": { "key": "TWIN1" }, "issuetype": { "name": "Task" } });
    let made = twin.post(&token, &format!("{api}/issue"), json!({ "fields": fields })).await;
    assert_eq!((made.status, &made.body["key"]), (201, &json!("TWIN1-131")));
    let read = twin.get(&token, &format!("{api}/issue/TWIN1-131")).await.body;
    assert_eq!(read["fields"]["summary"], "New");
    assert_eq!(twin.post(&token, &format!("{api}/issue"), json!({ "fields": {} })).await.status, 400);
    assert_eq!(twin.get(&token, "/ex/jira/another-site/rest/api/3/issue/TWIN1-1").await.status, 404);
}
