use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::twin::{Oauth, Twin};

async fn google() -> Twin {
    let oauth = Oauth {
        authorize: "/o/oauth2/v2/auth",
        token: "/token",
        redirect: "http://127.0.0.1:9/oauth/callback/google",
        params: &[
            ("scope", "openid email https://www.googleapis.com/auth/calendar"),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ],
        pkce: true,
        basic: false,
        json: false,
    };
    Twin::start("google", oauth).await
}

#[tokio::test]
async fn a_refresh_token_needs_offline_access_and_a_later_one_consent_too() {
    let twin = google().await;
    for (access_type, prompt, has_refresh_token) in
        [("online", "consent", false), ("offline", "none", false), ("offline", "consent", true)]
    {
        let mut request = twin.request();
        request.insert("access_type".into(), access_type.into());
        request.insert("prompt".into(), prompt.into());
        let code = twin.consent(&request, "ada").await["code"].clone();
        let tokens = twin.exchange(&code).await.body;
        assert_eq!(tokens["refresh_token"].is_string(), has_refresh_token, "{access_type} {prompt}");
    }
    let mut request = twin.request();
    request.remove("prompt");
    let code = twin.consent(&request, "grace").await["code"].clone();
    assert!(twin.exchange(&code).await.body["refresh_token"].is_string(), "the first consent of another person");
}

#[tokio::test]
async fn the_id_token_says_who_signed_in_and_a_refresh_keeps_the_refresh_token() {
    let twin = google().await;
    let tokens = twin.sign_in().await;
    let claims = tokens["id_token"].as_str().and_then(|token| token.split('.').nth(1)).expect("claims");
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON");
    assert_eq!((&claims["iss"], &claims["email"]), (&json!("https://accounts.google.com"), &json!("ada@example.com")));
    assert_eq!(claims["aud"], twin.client.0);
    for _ in 0..2 {
        let refreshed = twin.refresh(&tokens["refresh_token"]).await;
        assert_eq!((refreshed.status, refreshed.body.get("refresh_token")), (200, None));
    }
}

#[tokio::test]
async fn events_are_listed_by_page_tokens_created_and_need_their_scope() {
    let twin = google().await;
    let token = twin.sign_in().await["access_token"].clone();
    let events = "/calendar/v3/calendars/primary/events";
    let first = twin.get(&token, &format!("{events}?maxResults=200")).await.body;
    let next = first["nextPageToken"].as_str().expect("a token");
    let second = twin.get(&token, &format!("{events}?maxResults=200&pageToken={next}")).await.body;
    assert_eq!((second["items"].as_array().map(Vec::len), second.get("nextPageToken")), (Some(60), None));
    let at = |hour: u32| json!({ "dateTime": format!("2026-03-01T{hour}:00:00Z") });
    let made = twin.post(&token, events, json!({ "summary": "Lunch", "start": at(12), "end": at(13) })).await;
    assert_eq!(
        (made.status, &made.body["summary"], &made.body["start"]["dateTime"]),
        (200, &json!("Lunch"), &at(12)["dateTime"])
    );
    let id = made.body["id"].as_str().expect("an ID");
    assert_eq!(twin.get(&token, &format!("{events}/{id}")).await.body, made.body);
    let refused = twin.get(&token, "/drive/v3/files").await;
    assert_eq!((refused.status, &refused.body["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    assert!(refused.header("www-authenticate").is_some_and(|header| header.contains("insufficient_scope")));
}

#[tokio::test]
async fn a_revoked_sign_in_is_an_invalid_grant() {
    for by_endpoint in [true, false] {
        let twin = google().await;
        let tokens = twin.sign_in().await;
        if by_endpoint {
            let form = [("token", tokens["access_token"].as_str().expect("a token"))];
            let revoked = twin.http.post(twin.at("/revoke")).form(&form).send().await.expect("a response");
            assert_eq!(revoked.status(), 200);
        } else {
            twin.revoke().await;
        }
        let call = twin.get(&tokens["access_token"], "/oauth2/v3/userinfo").await;
        assert_eq!((call.status, &call.body["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
        let refused = twin.refresh(&tokens["refresh_token"]).await;
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_grant")));
        assert_eq!(refused.body["error_description"], "Token has been expired or revoked.");
    }
}
