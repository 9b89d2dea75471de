use serde_json::json;

use crate::twin::{Answer, Oauth, Twin, VERIFIER};

async fn github() -> Twin {
    let oauth = Oauth {
        authorize: "/login/oauth/authorize",
        token: "/login/oauth/access_token",
        redirect: "http://127.0.0.1:9/oauth/callback/github",
        params: &[("scope", "repo read:user")],
        pkce: true,
        basic: false,
        json: false,
    };
    Twin::start("github", oauth).await
}

#[tokio::test]
async fn an_error_has_status_200_and_is_a_form_unless_json_is_accepted() {
    let twin = github().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", "ghr_unknown")];
    let refused = Answer::of(twin.token_request(&form).send().await.expect("a response")).await;
    assert_eq!((refused.status, &refused.body["error"]), (200, &json!("bad_refresh_token")));
    let plain = twin.http.post(twin.at("/login/oauth/access_token")).form(&[("client_id", "other")]);
    let plain = Answer::of(plain.send().await.expect("a response")).await;
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("content-type"), Some("application/x-www-form-urlencoded; charset=utf-8"));
    assert!(plain.text.starts_with("error=incorrect_client_credentials&"), "{}", plain.text);

    let back = twin.consent(&twin.request(), "ada").await;
    assert_eq!(back.get("iss"), None);
    let wrong = [
        ("grant_type", "authorization_code"),
        ("code", back["code"].as_str()),
        ("redirect_uri", twin.oauth.redirect),
        ("code_verifier", &VERIFIER[1..]),
    ];
    let wrong = Answer::of(twin.token_request(&wrong).send().await.expect("a response")).await;
    assert_eq!((wrong.status, &wrong.body["error"]), (200, &json!("bad_verification_code")));
}

#[tokio::test]
async fn a_user_token_expires_has_no_scope_and_is_replaced_with_its_refresh_token() {
    let twin = github().await;
    let first = twin.sign_in().await;
    assert_eq!((&first["expires_in"], &first["scope"]), (&json!(28800), &json!("")));
    assert!(first["access_token"].as_str().is_some_and(|token| token.starts_with("ghu_")), "{first}");
    assert!(first["refresh_token"].as_str().is_some_and(|token| token.starts_with("ghr_")), "{first}");
    let second = twin.refresh(&first["refresh_token"]).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.body["refresh_token"], first["refresh_token"]);
    assert_eq!(twin.refresh(&first["refresh_token"]).await.body["error"], "bad_refresh_token");
    assert_eq!(twin.get(&second.body["access_token"], "/user").await.body["login"], "ada-twin");
}

#[tokio::test]
async fn pages_are_linked_and_counted_calls_are_told() {
    let twin = github().await;
    let token = twin.sign_in().await["access_token"].clone();
    let (mut url, mut names, mut remaining) = (twin.at("/user/repos?per_page=20"), Vec::new(), Vec::new());
    loop {
        let page = twin.get(&token, &url).await;
        names.extend(page.body.as_array().expect("a list").iter().map(|repo| repo["name"].clone()));
        remaining.extend(page.header("x-ratelimit-remaining").map(str::to_owned));
        let next = page.header("link").and_then(|link| {
            link.split(", ").find(|link| link.ends_with("rel=\"next\"")).and_then(|link| link.split(['<', '>']).nth(1))
        });
        let Some(next) = next else { break };
        url = next.to_owned();
    }
    let expected: Vec<_> = (1..=45).map(|n| json!(format!("project-{n}"))).collect();
    assert_eq!(names, expected);
    assert_eq!(remaining, ["4999", "4998", "4997"]);
}

#[tokio::test]
async fn issues_can_be_listed_read_created_and_filtered() {
    let twin = github().await;
    let token = twin.sign_in().await["access_token"].clone();
    let repo = "/repos/ada-twin/project-3";
    let count = async |query: &str| {
        let issues = twin.get(&token, &format!("{repo}/issues?per_page=100{query}")).await;
        issues.body.as_array().expect("a list").len()
    };
    assert_eq!((count("").await, count("&state=closed").await, count("&state=all").await), (21, 21, 42));
    let made = twin.post(&token, &format!("{repo}/issues"), json!({ "title": "New {{n}}", "body": "b" })).await;
    assert_eq!((made.status, &made.body["number"], &made.body["title"]), (201, &json!(43), &json!("New {{n}}")));
    let read = twin.get(&token, &format!("{repo}/issues/43")).await;
    assert_eq!(read.body, made.body);
    assert_eq!(count("").await, 22);
    let elsewhere = twin.get(&token, "/repos/ada-twin/project-4/issues/43").await;
    assert_eq!((elsewhere.status, &elsewhere.body["message"]), (404, &json!("Not Found")));
    let refused = twin.post(&token, &format!("{repo}/issues"), json!({ "body": "no title" })).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("title")));
    for path in ["/repos/ada-twin/project-99/issues", "/repos/nobody/project-1", "/nothing"] {
        assert_eq!(twin.get(&token, path).await.status, 404, "{path}");
    }
    let said = twin.post(&token, &format!("{repo}/issues/1/comments"), json!({ "body": "Yes" })).await;
    assert_eq!((said.status, &said.body["body"]), (201, &json!("Yes")));
    assert_eq!(twin.get(&token, &format!("{repo}/issues/1/comments")).await.body.as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn the_rate_limit_is_a_403_with_nothing_remaining() {
    let twin = github().await;
    let token = twin.sign_in().await["access_token"].clone();
    twin.control("POST", "/control/faults", json!({ "kind": "too_many_requests", "on": "api", "retry_after": 90 }))
        .await;
    let refused = twin.get(&token, "/user").await;
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (403, Some("0")));
    assert!(refused.header("x-ratelimit-reset").is_some_and(|reset| reset.len() == 10));
    assert!(refused.body["message"].as_str().is_some_and(|message| message.starts_with("API rate limit exceeded")));
    assert_eq!(twin.get(&token, "/user").await.status, 200);
}

#[tokio::test]
async fn a_revoked_app_gets_bad_credentials_and_a_bad_refresh_token() {
    for by_endpoint in [false, true] {
        let twin = github().await;
        let tokens = twin.sign_in().await;
        if by_endpoint {
            let (id, secret) = &twin.client;
            let body = json!({ "access_token": tokens["access_token"] });
            for (secret, status) in [(Some("wrong"), 200), (secret.as_deref(), 204)] {
                let delete = twin.http.delete(twin.at(&format!("/applications/{id}/grant"))).basic_auth(id, secret);
                assert_eq!(delete.json(&body).send().await.expect("a response").status(), status);
            }
        } else {
            twin.revoke().await;
        }
        let refused = twin.get(&tokens["access_token"], "/user").await;
        assert_eq!((refused.status, &refused.body["message"]), (401, &json!("Bad credentials")));
        let refused = twin.refresh(&tokens["refresh_token"]).await;
        assert_eq!((refused.status, &refused.body["error"]), (200, &json!("bad_refresh_token")));
    }
}

#[tokio::test]
async fn a_caller_must_say_what_it_is() {
    let twin = github().await;
    let token = twin.sign_in().await["access_token"].clone();
    let anonymous = reqwest::Client::new().get(twin.at("/user")).bearer_auth(token.as_str().expect("a token"));
    assert_eq!(anonymous.send().await.expect("a response").status(), 403);
    let nobody = twin.http.get(twin.at("/user")).send().await.expect("a response");
    assert_eq!(Answer::of(nobody).await.body["message"], "Requires authentication");
    let old_scheme = format!("token {}", token.as_str().expect("a token"));
    let old = twin.http.get(twin.at("/user")).header("authorization", old_scheme);
    assert_eq!(old.send().await.expect("a response").status(), 200);
}
