//! How webhooks of providers are verified, and what those that aren't can't do (contract section 4.7).

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use relink_domain::hex::hex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use crate::{
    answering_provider::SignIn,
    inbound::{BODY, Inbound, TRANSFORM},
};

/// The secret variable that signs.
const HOOK: &str = "wh-1234567";

fn verified_by(format: &str, config: &Value) -> Value {
    json!({ "signature_verification": { "format": format, "config": config }, "payload_transform": TRANSFORM })
}

fn by_variable() -> Value {
    verified_by(
        "hmac",
        &json!({ "secret": "{{secret_environment_variables.HOOK}}", "compare_with": "$header.x-signature" }),
    )
}

fn mac<M: Mac + KeyInit>(secret: &[u8], signed: &str) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).expect("any key");
    mac.update(signed.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn signature() -> String {
    hex(&mac::<Hmac<Sha256>>(HOOK.as_bytes(), BODY))
}

/// A token with these claims, signed by `mac`.
fn jwt(algorithm: &str, claims: &Value, mac: impl Fn(&str) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": algorithm, "typ": "JWT" })), part(claims));
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac(&signed)))
}

impl Inbound {
    fn now_secs(&self) -> i64 {
        self.world.engine.now().as_millis() / 1000
    }

    /// What is shown of the account.
    async fn row(&self) -> Value {
        self.world.get(&format!("/integrated-account/{}", self.account)).await
    }
}

#[tokio::test]
async fn an_account_that_needs_its_person_is_verified_like_any_other_and_nothing_is_refreshed() {
    let it = Inbound::signed_in(by_variable(), SignIn::OAuth).await;
    it.set_variable(HOOK).await;
    it.provider.with(|answers| answers.token = 400);
    let refresh = json!({ "id": it.account });
    it.world.as_person(Method::POST, "/integrated-account/refresh-credentials", refresh).await;
    let before = it.row().await;
    assert_eq!(before["status"], "needs_reauth");
    let tokens = it.provider.tokens();

    let unsigned = it.send(&it.account, &[], BODY).await;
    let wrong = it.send(&it.account, &[("x-signature", "00")], BODY).await;
    assert_eq!((unsigned.0, &unsigned), (StatusCode::UNAUTHORIZED, &wrong));
    let (status, said) = it.send(&it.account, &[("x-signature", &signature())], BODY).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(it.received().await.len(), 1);
    assert_eq!((it.provider.tokens(), it.row().await), (tokens, before), "no refresh, and no use of the account");
}

#[tokio::test]
async fn a_secret_variable_signs_and_is_in_no_answer_and_no_event() {
    let it = Inbound::new(by_variable()).await;
    let installed = it.set_variable(HOOK).await;
    assert_eq!(installed["override"]["secret_environment_variables"], json!({ "HOOK": "" }));
    let body = format!(r#"{{ "kind": "created", "id": 7, "raw": "{HOOK}" }}"#);
    let signed = hex(&mac::<Hmac<Sha256>>(HOOK.as_bytes(), &body));
    assert_eq!(it.send(&it.account, &[("x-signature", &signed)], &body).await.0, StatusCode::OK);
    assert_eq!(it.received().await[0]["raw"]["raw"], "(hidden)");
    for path in ["/integrated-account", "/environment-integration", "/relink/events?after=0", "/log?log_type=webhook"] {
        let shown = it.world.ask(Method::GET, path, Value::Null).await.1.to_string();
        assert!(!shown.contains(HOOK), "{path}: {shown}");
    }
    let row = it.row().await;
    assert_eq!(row["context"]["environment_variables"], json!({ "region": "eu" }), "those are shown");
    assert_eq!(row["environment_integration"]["override"], installed["override"], "with the secrets out");
    let change = json!({ "context": { "a": 1 } });
    it.world.ask(Method::PATCH, &format!("/integrated-account/{}", it.account), change).await;
    let events = it.world.get("/relink/events?after=0").await;
    let updated = events["result"].as_array().expect("events").last().expect("one").clone();
    let sent = &updated["payload"]["environment_integration"]["override"];
    assert_eq!(sent, &json!({ "secret_environment_variables": { "HOOK": "" } }), "{updated}");
}

#[tokio::test]
async fn a_method_sends_a_secret_variable_and_hides_it_where_the_provider_repeats_it() {
    let it = Inbound::new(Value::Null).await;
    it.set_variable(HOOK).await;
    let headers = json!({ "X-Hook": "{{secret_environment_variables.HOOK}}" });
    let over = json!({ "resources": { "items": { "list": { "path": "/echo", "headers": headers } } } });
    let path = format!("/integrated-account/{}", it.account);
    let (status, body) = it.world.as_person(Method::PATCH, &path, json!({ "integration_override": over })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    it.provider.with(|answers| answers.api = [400].into());
    let url = format!("/proxy/items?integrated_account_id={}", it.account);
    let (status, _) = it.world.ask(Method::GET, &url, Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(it.provider.with(|answers| answers.hook.clone()).as_deref(), Some(HOOK), "the provider got it");

    // A caller's own method decides where its values go.
    let own = |config: Value| json!({ "methodConfig": config });
    let in_header = json!({ "headers": { "X-Mine": "{{secret_environment_variables.HOOK}}" } });
    let in_authorization = json!({ "authorization": {
        "format": "header", "config": { "header_name": "X-Mine", "header_value": "{{secret_environment_variables.HOOK}}" },
    } });
    for config in [in_header, in_authorization] {
        let url = format!("/custom/echo?integrated_account_id={}", it.account);
        let (status, said) = it.world.ask(Method::POST, &url, own(config)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        assert!(said["message"].as_str().is_some_and(|text| text.contains("secret_environment_variables")), "{said}");
    }
}

#[tokio::test]
async fn what_is_not_signed_takes_nothing_that_signed_requests_need() {
    let mut webhook = by_variable();
    // It never ends by itself.
    webhook["handle_verification"] =
        "body.loop ? ($f := function($n) { $f($n + 1) }; $f(0)) : body.ping ? {'body': 'pong'}".into();
    let it = Inbound::new(webhook).await;
    it.set_variable(HOOK).await;
    let endless = async || it.send(&it.account, &[], r#"{"loop": true}"#).await.0;
    let signature = signature();
    let headers = [("x-signature", signature.as_str())];
    let signed = async || it.send(&it.account, &headers, BODY).await;
    let (endless, (status, said)) = tokio::join!(join_all((0..5).map(|_| endless())), signed());
    assert_eq!(status, StatusCode::OK, "{said}");
    let refused = [StatusCode::TOO_MANY_REQUESTS, StatusCode::UNPROCESSABLE_ENTITY];
    assert!(endless.iter().all(|status| refused.contains(status)), "{endless:?}");

    let (short, long) = (r#"{"ping": true}"#.to_owned(), format!(r#"{{"ping": "{}"}}"#, "x".repeat(16 << 10)));
    assert_eq!(it.send(&it.account, &[], &short).await, (StatusCode::OK, "pong".to_owned()));
    assert_eq!(it.send(&it.account, &[], &long).await.0, StatusCode::UNAUTHORIZED, "it isn't evaluated");
    let signed = hex(&mac::<Hmac<Sha256>>(HOOK.as_bytes(), &long));
    assert_eq!(it.send(&it.account, &[("x-signature", &signed)], &long).await, (StatusCode::OK, "pong".to_owned()));
}

#[tokio::test]
async fn an_hmac_may_be_of_sha_1() {
    let config = json!({ "algorithm": "sha1", "secret": "{{secret_environment_variables.HOOK}}", "compare_with": "$header.x-hub-signature" });
    let it = Inbound::new(verified_by("hmac", &config)).await;
    it.set_variable(HOOK).await;
    let signature = format!("sha1={}", hex(&mac::<Hmac<Sha1>>(HOOK.as_bytes(), BODY)));
    assert_eq!(it.send(&it.account, &[("x-hub-signature", &signature)], BODY).await.0, StatusCode::OK);
    let changed = BODY.replace('7', "8");
    assert_eq!(it.send(&it.account, &[("x-hub-signature", &signature)], &changed).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_is_verified_as_the_definition_says_and_in_its_time() {
    let it = Inbound::new(verified_by("jwt", &json!({ "secret": "{{secret_environment_variables.HOOK}}" }))).await;
    it.set_variable(HOOK).await;
    let now = it.now_secs();
    let by_hook = |signed: &str| mac::<Hmac<Sha256>>(HOOK.as_bytes(), signed);
    let token = |claims: Value| jwt("HS256", &claims, by_hook);
    let good = token(json!({ "iss": "acme", "exp": now + 600, "nbf": now - 600 }));
    for authorization in [format!("Bearer {good}"), format!("JWT {good}"), good.clone(), token(json!({}))] {
        let (status, said) = it.send(&it.account, &[("authorization", &authorization)], BODY).await;
        assert_eq!(status, StatusCode::OK, "{authorization}: {said}");
    }
    let unsigned = good.rsplit_once('.').expect("parts").0;
    for (wrong, why) in [
        (token(json!({ "exp": now - 600 })), "it has expired"),
        (token(json!({ "nbf": now + 600 })), "it isn't valid yet"),
        (jwt("HS256", &json!({}), |signed| mac::<Hmac<Sha256>>(b"other", signed)), "another secret"),
        (jwt("HS384", &json!({}), |signed| mac::<Hmac<Sha384>>(HOOK.as_bytes(), signed)), "another algorithm"),
        (jwt("none", &json!({}), by_hook), "it names no algorithm"),
        (format!("{unsigned}."), "it has no signature"),
        (unsigned.to_owned(), "two parts"),
        (String::new(), "nothing"),
    ] {
        let (status, said) = it.send(&it.account, &[("authorization", &format!("Bearer {wrong}"))], BODY).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{why}: {said}");
    }
}

#[tokio::test]
async fn clerks_webhooks_are_verified_with_their_time() {
    let it = Inbound::new(verified_by("clerk", &json!({ "secret": "{{secret_environment_variables.HOOK}}" }))).await;
    let key = b"the key of the endpoint";
    it.set_variable(&format!("whsec_{}", BASE64_STANDARD.encode(key))).await;
    let signature = |at: i64, body: &str| {
        let mac = mac::<Hmac<Sha256>>(key, &format!("msg_1.{at}.{body}"));
        format!("v2,x v1,{} v1,{}", BASE64_STANDARD.encode("another"), BASE64_STANDARD.encode(mac))
    };
    let send = async |prefix: &str, at: i64, signature: &str| {
        let names = ["id", "timestamp", "signature"].map(|name| format!("{prefix}-{name}"));
        let at = at.to_string();
        let headers = [(names[0].as_str(), "msg_1"), (&names[1], &at), (&names[2], signature)];
        it.send(&it.account, &headers, BODY).await.0
    };
    let now = it.now_secs();
    for prefix in ["svix", "webhook"] {
        assert_eq!(send(prefix, now, &signature(now, BODY)).await, StatusCode::OK, "{prefix}");
    }
    let refused = StatusCode::UNAUTHORIZED;
    assert_eq!(send("svix", now - 600, &signature(now - 600, BODY)).await, refused, "it is too old");
    assert_eq!(send("svix", now + 600, &signature(now + 600, BODY)).await, refused, "it is of the future");
    assert_eq!(send("svix", now, &signature(now - 1, BODY)).await, refused, "another time");
    assert_eq!(send("svix", now, &signature(now, "{}")).await, refused, "another body");
    assert_eq!(send("svix", now, "v1,").await, refused, "nothing");
}

#[tokio::test]
async fn a_signature_that_needs_the_providers_keys_is_pointed_out_in_the_definition() {
    let it = Inbound::new(Value::Null).await;
    let definition = |webhook: Value| {
        json!({ "name": "keys", "config": { "label": "Keys", "base_url": "https://keys.example", "webhook": webhook, "credentials": {
            "format": "api_key", "config": { "fields": [{ "name": "api_key", "type": "password", "required": true }] },
        } } })
    };
    for (format, config, part) in [
        (
            "jwt",
            json!({ "algorithm": "RS256", "secret": "{{secret_environment_variables.HOOK}}" }),
            "public keys, which Relink doesn't fetch",
        ),
        ("paseto", json!({}), "\"hmac\", \"jwt\", \"clerk\", \"basic\" or \"bearer\""),
    ] {
        let text = definition(verified_by(format, &config)).to_string();
        let (status, body) = it.world.as_person(Method::POST, "/relink/integrations", json!({ "text": text })).await;
        assert!(status.is_success(), "{body}");
        assert!(body["warnings"].to_string().replace("\\\"", "\"").contains(part), "{body}");
    }
}

#[tokio::test]
async fn a_token_is_where_the_definition_says() {
    let hook = "{{secret_environment_variables.HOOK}}";
    for config in [
        json!({ "secret": hook, "verification_content": "$header.x-token" }),
        json!({ "secret": hook, "verification_content": "$header.x-token", "compare_with": "$header.authorization" }),
        json!({ "secret": hook, "compare_with": "$header.x-token" }),
    ] {
        let it = Inbound::new(verified_by("jwt", &config)).await;
        it.set_variable(HOOK).await;
        let token = jwt("HS256", &json!({}), |signed| mac::<Hmac<Sha256>>(HOOK.as_bytes(), signed));
        assert_eq!(it.send(&it.account, &[("x-token", &token)], BODY).await.0, StatusCode::OK, "{config}");
        let elsewhere = it.send(&it.account, &[("authorization", &token)], BODY).await.0;
        assert_eq!(elsewhere, StatusCode::UNAUTHORIZED, "{config}");
    }
}
