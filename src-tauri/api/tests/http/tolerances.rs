//! Requests that must be understood, each as one of Truto's clients sends it (contract section 0.2), and the form of the answers (0.3).

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn},
    world::World,
};

impl World {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base())).bearer_auth(&self.token)
    }

    /// The tenants of the accounts that a query finds, sorted.
    async fn tenants(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("/integrated-account?{query}")).await;
        let result = list["result"].as_array().unwrap_or_else(|| panic!("{query}: {list}"));
        let mut tenants: Vec<_> =
            result.iter().map(|account| account["tenant_id"].as_str().expect("text").to_owned()).collect();
        tenants.sort();
        tenants
    }

    /// Accounts of the Sandbox with these tenants.
    async fn with_tenants(tenants: &[&str]) -> Self {
        let world = Self::new().await;
        world.sandbox().await;
        for tenant in tenants {
            world.account(tenant).await;
        }
        world
    }
}

#[tokio::test]
async fn any_run_of_leading_slashes_is_one() {
    let world = World::new().await;
    for path in ["/webhook", "//webhook", "////webhook"] {
        let answer = world.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let made = world.request(Method::POST, &path.replace("webhook", "link-token"));
        let made = made.json(&json!({ "tenant_id": "a" })).send().await.expect("an answer");
        assert_eq!(made.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_body_is_json_whatever_its_type() {
    let world = World::new().await;
    let types = [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("text/plain;charset=UTF-8"),
        Some("application/octet-stream"),
        Some(""),
    ];
    for content_type in types {
        let request = world.request(Method::POST, "/link-token").body(r#"{"tenant_id":"a"}"#);
        let request = match content_type {
            Some(content_type) => request.header(header::CONTENT_TYPE, content_type),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{content_type:?}");
    }
}

#[tokio::test]
async fn an_empty_json_body_is_an_empty_object() {
    let world = World::new().await;
    for body in ["", " ", "\n", "{}"] {
        let request = world.request(Method::POST, "/link-token").header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(body).send().await.expect("an answer");
        let status = answer.status();
        let said: Value = answer.json().await.expect("JSON");
        assert_eq!((status, said["code"] == "body_not_json"), (StatusCode::BAD_REQUEST, false), "{body:?}: {said}");
        let request = world.request(Method::GET, "/webhook").header(header::CONTENT_TYPE, "application/json");
        assert_eq!(request.body(body).send().await.expect("an answer").status(), StatusCode::OK, "{body:?}");
    }
}

#[tokio::test]
async fn an_empty_value_and_pythons_none_are_absent() {
    let world = World::with_tenants(&["a", "b"]).await;
    for query in ["tenant_id=", "tenant_id=None", "status=&is_sandbox=None", "limit=", "sort=", "environment_id="] {
        assert_eq!(world.tenants(query).await, ["a", "b"], "{query}");
    }
}

/// Every parameter of the document, also with the operators of a filter. What is at `/proxy`, `/custom` and `/unified` is for the provider.
#[tokio::test]
async fn every_parameter_that_has_no_value_is_absent() {
    let world = World::with_tenants(&["a"]).await;
    let account = world.get("/integrated-account").await["result"][0].clone();
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let (account, integration) = (id(&account), id(&account["integration"]));
    let webhook = id(&world.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/" })).await);
    let mut tried = Vec::new();
    for (path, item) in world.get("/openapi.json").await["paths"].as_object().expect("paths") {
        let operation = &item["get"];
        let is_call = ["/proxy", "/custom", "/unified/"].iter().any(|route| path.starts_with(route));
        if !operation["security"].is_array() || is_call {
            continue;
        }
        let owner = match path.split('/').find(|part| ["integration", "webhooks"].contains(part)) {
            Some("integration") => &integration,
            Some(_) => &webhook,
            None => &account,
        };
        let needed = match path.as_str() {
            "/log" => "log_type=unified_proxy_api".to_owned(),
            "/sync-job-run-state" => "state_key=none".to_owned(),
            "/documentation" => format!("integration_id={integration}"),
            _ => String::new(),
        };
        let url = format!("{}?{needed}", path.replace("{id}", owner));
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let names = parameters.iter().filter(|it| it["in"] == "query" && it["required"] != true);
        for name in names.map(|it| it["name"].as_str().expect("a name")) {
            let (status, whole) = world.as_person(Method::GET, &url, Value::Null).await;
            assert_eq!(status, StatusCode::OK, "{url}: {whole}");
            for form in ["", "[]", "[0]", "[ne]", "[in]", "[in][]", "[nin][0]", "[gt]", "[like]", "[exists]"] {
                for value in ["", "None"] {
                    let query = format!("{url}&{name}{form}={value}");
                    let answer = world.as_person(Method::GET, &query, Value::Null).await;
                    assert_eq!(answer, (StatusCode::OK, whole.clone()), "{query}");
                }
            }
            tried.push(format!("{path} {name}"));
        }
    }
    for expected in ["/integrated-account limit", "/log next_cursor", "/integration/{id}/capabilities type"] {
        assert!(tried.iter().any(|it| it == expected), "{expected}: {tried:?}");
    }
}

#[tokio::test]
async fn a_truth_value_is_true_or_false() {
    let world = World::with_tenants(&["a"]).await;
    assert_eq!((world.tenants("is_sandbox=true").await.len(), world.tenants("is_sandbox=false").await.len()), (1, 0));
    let (status, said) = world.ask(Method::GET, "/integrated-account?is_sandbox=yes", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(said["message"].as_str().is_some_and(|message| message.contains("is_sandbox")), "{said}");
}

#[tokio::test]
async fn names_and_values_are_percent_decoded_and_a_plus_is_a_space() {
    let world = World::with_tenants(&["a b", "c+d", "é&="]).await;
    for (query, tenant) in [
        ("tenant_id=a+b", "a b"),
        ("tenant_id=a%20b", "a b"),
        ("tenant_id=c%2Bd", "c+d"),
        ("tenant_id=%C3%A9%26%3D", "é&="),
        ("tenant_id%5Bin%5D=a+b", "a b"),
        ("tenant_id%5Bin%5D%5B0%5D=a+b", "a b"),
        ("tenant%5Fid%5Beq%5D=a+b", "a b"),
    ] {
        assert_eq!(world.tenants(query).await, [tenant], "{query}");
    }
}

#[tokio::test]
async fn an_array_comes_in_every_form_of_the_clients() {
    let world = World::with_tenants(&["a", "b", "c"]).await;
    for query in [
        "tenant_id[in]=a,b",
        "tenant_id[in][]=a&tenant_id[in][]=b",
        "tenant_id[in][0]=a&tenant_id[in][1]=b",
        "tenant_id[in]=a&tenant_id[in]=b",
        "tenant_id[]=a&tenant_id[]=b",
        "tenant_id[0]=a&tenant_id[1]=b",
    ] {
        assert_eq!(world.tenants(query).await, ["a", "b"], "{query}");
    }
    let account = world.get("/integrated-account?limit=1").await["result"][0]["id"].as_str().expect("an id").to_owned();
    let mut counts = Vec::new();
    for methods in ["methods=get,list", "methods[]=get&methods[]=list", "methods[0]=get&methods[1]=list"] {
        let tools = world.get(&format!("/integrated-account/{account}/tools?{methods}")).await;
        counts.push(tools["result"].as_array().expect("tools").len());
    }
    assert!(counts[0] > 0 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[tokio::test]
async fn an_object_and_an_array_reach_the_provider() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::ApiKey, 0).await;
    let pairs = |text: &str| {
        let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned();
        pairs.collect::<Vec<(String, String)>>()
    };
    for (query, expected) in [
        ("a[b]=c&a[d][e]=f", "a[b]=c&a[d][e]=f"),
        ("a%5Bb%5D=c%20d+e&n=1", "a[b]=c d e&n=1"),
        // Whichever form the client has, the provider gets its own: brackets, unless the definition says otherwise.
        ("a[]=x&a[]=y", "a[]=x&a[]=y"),
        ("a[0]=x&a[1]=y", "a[]=x&a[]=y"),
    ] {
        world.get(&format!("/proxy/items?integrated_account_id={account}&{query}")).await;
        assert_eq!(pairs(&provider.with(|answers| answers.query.clone())), pairs(expected), "{query}");
    }
}

#[tokio::test]
async fn each_operator_of_a_filter_compares_as_its_name_says() {
    let world = World::with_tenants(&["Acme-1", "acme-2", "beta"]).await;
    for (query, expected) in [
        ("tenant_id=beta", &["beta"][..]),
        ("tenant_id[eq]=beta", &["beta"]),
        ("tenant_id[ne]=beta", &["Acme-1", "acme-2"]),
        ("tenant_id[gt]=acme-2", &["beta"]),
        ("tenant_id[gte]=acme-2", &["acme-2", "beta"]),
        ("tenant_id[lt]=acme-2", &["Acme-1"]),
        ("tenant_id[lte]=acme-2", &["Acme-1", "acme-2"]),
        ("tenant_id[in]=beta,acme-2", &["acme-2", "beta"]),
        ("tenant_id[nin]=beta,acme-2", &["Acme-1"]),
        ("tenant_id[like]=acme%25", &["Acme-1", "acme-2"]),
        ("tenant_id[like]=acme-_", &["Acme-1", "acme-2"]),
        ("tenant_id[ilike]=ACME%25", &["Acme-1", "acme-2"]),
        ("tenant_id[exists]=true", &["Acme-1", "acme-2", "beta"]),
        ("tenant_id[exists]=false", &[]),
        ("tenant_id[gt]=a&tenant_id[lt]=b", &["acme-2"]),
    ] {
        assert_eq!(world.tenants(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn an_unknown_operator_is_named_and_an_unknown_field_ignored() {
    let world = World::with_tenants(&["a"]).await;
    for (path, fields) in [
        ("/integrated-account", &["id", "environment_id", "features.super_query"][..]),
        ("/webhook", &["is_active", "environment_id"]),
        ("/integration", &["id", "category"]),
        ("/environment-integration", &["id", "environment_id"]),
        ("/api-token", &["id", "environment_id"]),
        ("/environment", &["id"]),
        ("/team", &["id"]),
        ("/user", &["id"]),
        ("/category", &["name"]),
    ] {
        for field in fields.iter().chain(&["created_at", "updated_at"]) {
            let (status, said) = world.ask(Method::GET, &format!("{path}?{field}[about]=x"), Value::Null).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {field}: {said}");
            let message = said["message"].as_str().expect("a message");
            assert!(message.contains(&format!("{field}[about]")), "{path}: {message}");
        }
        let all = world.get(path).await;
        assert_eq!(world.get(&format!("{path}?colour=red&colour[about]=x")).await, all, "{path}");
    }
}

#[tokio::test]
async fn a_dotted_name_filters_by_the_integration() {
    let world = World::with_tenants(&["a"]).await;
    for (query, count) in [
        ("integration.name=sandbox", 1),
        ("integration.name=github", 0),
        ("integration.name[in][]=sandbox", 1),
        ("integration.name[ne]=sandbox", 0),
        ("unified_model.name=crm", 1),
    ] {
        assert_eq!(world.tenants(query).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_time_has_a_zone_an_offset_or_is_utc() {
    let world = World::with_tenants(&["a"]).await;
    for (time, is_before) in [
        ("2021-01-01T00:00:00.000Z", true),
        ("2021-01-01T00:00:00Z", true),
        ("2021-01-01T00:00:00%2B02:00", true),
        ("2021-01-01T00:00:00-08:00", true),
        ("2021-01-01T00:00:00", true),
        ("2021-01-01T00:00:00.123456", true),
        ("2021-01-01", true),
        ("2099-01-01T00:00:00", false),
    ] {
        let found = world.tenants(&format!("created_at[gt]={time}")).await;
        assert_eq!(found.len(), usize::from(is_before), "{time}");
    }
    let (status, said) = world.ask(Method::GET, "/integrated-account?created_at[gt]=yesterday", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
}

#[tokio::test]
async fn an_empty_cursor_is_the_first_page_and_the_last_page_has_none() {
    let world = World::with_tenants(&["a", "b", "c"]).await;
    let first = world.get("/integrated-account?limit=2&next_cursor=").await;
    assert_eq!(first, world.get("/integrated-account?limit=2").await);
    let cursor = first["next_cursor"].as_str().expect("more");
    let last = world.get(&format!("/integrated-account?limit=2&next_cursor={cursor}")).await;
    assert_eq!((last["result"].as_array().map(Vec::len), &last["next_cursor"]), (Some(1), &Value::Null));
    let empty = world.get("/integrated-account?tenant_id=none").await;
    assert_eq!((&empty["result"], &empty["next_cursor"]), (&json!([]), &Value::Null));
    let (status, said) = world.ask(Method::GET, "/integrated-account?next_cursor=nonsense", Value::Null).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("Bad Request")));
}

#[tokio::test]
async fn a_list_says_its_limit_and_how_long_a_page_can_be() {
    let world = World::with_tenants(&["a"]).await;
    for (query, limit) in [("", 5000), ("?limit=1", 1), ("?limit=5000", 5000), ("?limit=9999999", 5000)] {
        let list = world.get(&format!("/integrated-account{query}")).await;
        let keys: Vec<_> = list.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!((keys, &list["limit"]), (vec!["result", "next_cursor", "limit"], &json!(limit)), "{query}");
    }
    for limit in ["0", "-1", "x", "1.5"] {
        let (status, said) = world.ask(Method::GET, &format!("/integrated-account?limit={limit}"), Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{limit}: {said}");
    }
}

#[tokio::test]
async fn an_error_is_json_with_its_type_and_the_status_line_has_the_reason() {
    let world = World::new().await;
    let host = world.host().to_owned();
    for (request, reason) in [
        (format!("GET /webhook HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), "401 Unauthorized"),
        (
            format!(
                "GET /nowhere HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                world.token
            ),
            "404 Not Found",
        ),
        (
            format!(
                "GET /webhook?limit=x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                world.token
            ),
            "400 Bad Request",
        ),
    ] {
        let answer = world.raw(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with(&format!("HTTP/1.1 {reason}\r\n")), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
        let body: Value = serde_json::from_str(body).expect("JSON");
        let expected = reason.split_once(' ').expect("two parts");
        let code: u64 = expected.0.parse().expect("a number");
        assert_eq!((&body["statusCode"], &body["error"]), (&json!(code), &json!(expected.1)), "{body}");
        assert!(body["message"].is_string(), "{body}");
    }
}
