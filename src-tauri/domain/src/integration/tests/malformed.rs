//! Malformed files, each with the whole message.

use super::*;

/// The part of the valid file to replace, its replacement, and the whole message.
const MALFORMED: &[(&str, &str, &str)] = &[
    (
        r#""https://auth.acme.example""#,
        r#""htps://x""#,
        "line 15, column 26, config.credentials.oauth2.config.auth.tokenHost: \"htps://x\" is not a URL; it must \
         start with https:// (or http://127.0.0.1 for a server on this machine)",
    ),
    (
        r#""https://auth.acme.example""#,
        r#""https://auth.acme.example/common""#,
        "line 15, column 26, config.credentials.oauth2.config.auth.tokenHost: must end after the host \
         (https://auth.acme.example); put the rest into the path",
    ),
    (
        r#""https://api.acme.example/v2""#,
        r#""http://127.0.0.1:8080""#,
        "line 7, column 17, config.base_url: \"127.0.0.1\" is on this machine or its network; to allow that, add \
         \"allow_local\": true to config.relink",
    ),
    (
        r#""tokenPath": "/token""#,
        r#""tokenPath": "https://evil.example/token""#,
        "line 16, column 26, config.credentials.oauth2.config.auth.tokenPath: \"https://evil.example/token\" is not a \
         path; it must start with one / and leave out the host",
    ),
    (
        r#""tokenHost": "https://auth.acme.example","#,
        r#""tokenHost": "","#,
        "line 14, column 19, config.credentials.oauth2.config.auth: \"tokenHost\" is missing; add one, such as \
         \"https://github.com\"",
    ),
    (
        r#""tokenPath": "/token""#,
        r#""tokenPath": 7"#,
        "line 16, column 26, config.credentials.oauth2.config.auth.tokenPath: must be a string in quotes, not a number",
    ),
    (
        r#""secret": "hunter2""#,
        r#""secret": 12345678"#,
        "line 13, column 54, config.credentials.oauth2.config.client.secret: must be a string in quotes, not a number",
    ),
    (
        r#""secret": "hunter2""#,
        r#""Secret": "hunter2""#,
        "line 13, column 54, config.credentials.oauth2.config.client.Secret: is a credential in \
         plain text, and everybody can read it here; ask for it in a field of \"credentials\" and name it by a \
         placeholder, such as {{credentials.api_key}}. The secret of an OAuth client belongs in \"client\": {\"id\": \
         \"...\", \"secret\": \"...\"}",
    ),
    (
        r#""secret": "hunter2""#,
        r#""sceret": "hunter2""#,
        "line 13, column 54, config.credentials.oauth2.config.client.sceret: is not known here, and could be a secret \
         that is stored in plain text; use \"id\", \"secret\", \"idParamName\" or \"secretParamName\", or remove it",
    ),
    (
        r#""method": "S256""#,
        r#""method": "plain""#,
        "line 20, column 31, config.credentials.oauth2.config.pkce.method: \"plain\" is not known here; use \"S256\" or \"none\"",
    ),
    (
        r#"["read", "write"]"#,
        r#"["read", "wr ite"]"#,
        "line 19, column 29, config.credentials.oauth2.config.scope[1]: is not one scope; write each as its own string in the \
         list",
    ),
    (
        r#""format": "oauth2","#,
        r#""format": "magic","#,
        "line 11, column 19, config.credentials.oauth2.format: \"magic\" is not known here; use \"oauth2\", \"api_key\" \
         or \"oauth2_client_credentials\"",
    ),
    (
        r#""format": "oauth2","#,
        r#""format": "oauth","#,
        "line 11, column 19, config.credentials.oauth2.format: is the format \"oauth\", which Relink lacks; use \"oauth2\", \"api_key\" \
         or \"oauth2_client_credentials\"",
    ),
    (
        r#""format": "oauth2","#,
        r#""format": "api_key","#,
        "line 11, column 19, config.credentials.oauth2.format: says \"api_key\" under the key \"oauth2\"; make them equal",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{credentials.mail}}""#,
        "line 33, column 63, config.authorization.api_key.config.username: api_key has no field named \"mail\"; it asks \
         for email, api_key",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{oauth.token.access_token}}""#,
        "line 33, column 63, config.authorization.api_key.config.username: an api_key account has no access token; name \
         one of its fields",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{credential.email}}""#,
        "line 33, column 63, config.authorization.api_key.config.username: {{credential.email}} begins with \
         \"credential\"; write \"credentials\", as in {{credentials.api_key}}",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{access_token}}""#,
        "line 33, column 63, config.authorization.api_key.config.username: an api_key account has no access token; name \
         one of its fields",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{oauth.token.refresh_token}}""#,
        "line 33, column 63, config.authorization.api_key.config.username: {{oauth.token.refresh_token}} names a secret \
         that is never sent; of the tokens only oauth.token.access_token can be named, and in the action \
         refresh_token also oauth.token.refresh_token",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{email:text}}""#,
        "line 33, column 63, config.authorization.api_key.config.username: {{email:text}} has the cast \"text\", which is \
         not known; use str, int, num, bool, json, any or null",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{email | }}""#,
        "line 33, column 63, config.authorization.api_key.config.username: {{email | }} has an alternative that names \
         nothing",
    ),
    (
        r#""username": "{{credentials.email}}""#,
        r#""username": "{{credentials.email""#,
        "line 33, column 63, config.authorization.api_key.config.username: contains {{ that begins no placeholder and \
         would be sent as it is; write a placeholder as a name between {{ and }}, such as {{credentials.api_key}}",
    ),
    (
        r#""format": "basic""#,
        r#""format": "digest""#,
        "line 33, column 30, config.authorization.api_key.format: \"digest\" is not known here; use \"bearer\", \
         \"header\" or \"basic\"",
    ),
    (
        r#""X-Region""#,
        r#""Host""#,
        "line 8, column 26, config.headers.Host: the header \"Host\" is set by Relink itself; remove it",
    ),
    (
        r#""name": "acme""#,
        r#""name": "Acme Corp""#,
        "line 2, column 11, name: \"Acme Corp\" is not a name; use lowercase letters, digits, _ and -, such as \
         \"github\"",
    ),
    (
        r#""probe": { "path": "/me" }"#,
        r#""probe": { "method": "POST", "path": "/me" }"#,
        "line 38, column 28, config.relink.probe.method: \"POST\" is not known here; use \"GET\"",
    ),
    (
        r#""probe": { "path": "/me" }"#,
        r#""probe": { "path": "/../admin" }"#,
        "line 38, column 26, config.relink.probe.path: \"/../admin\" leads out of its folder (by .. or an encoded \
         slash); write the path out",
    ),
    (
        r#""probe": { "path": "/me" },"#,
        "",
        "line 39, column 29, config.relink.identity.path: is never requested, because there is no probe; add one to \
         \"relink\", such as {\"path\": \"/whoami\"}",
    ),
    (
        r#""id": "data.id""#,
        r#""id": "data..id""#,
        "line 39, column 46, config.relink.identity.id: \"data..id\" is not a path into the response, such as \"id\" or \
         \"data.user.id\"",
    ),
    (
        r#""revocation_path": "/revoke""#,
        r#""authorize_params": { "state": "x" }"#,
        "line 40, column 38, config.relink.authorize_params.state: this parameter is set by Relink itself; remove it",
    ),
    (
        r#""revocation_path": "/revoke""#,
        r#""redirects": []"#,
        "line 40, column 20, config.relink.redirects: allows no redirect; name \"deep_link\", \"loopback\" or both, the \
         preferred one first",
    ),
    (
        r#""revocation_path": "/revoke""#,
        r#""refresh": { "default_expires_in": "3600" }"#,
        "line 40, column 42, config.relink.refresh.default_expires_in: must be a whole number of seconds, without quotes",
    ),
    (
        r#""revocation_path": "/revoke""#,
        r##""color": "#fff""##,
        "line 40, column 16, config.relink.color: \"#fff\" is not a color, such as \"#24292f\"",
    ),
    (
        r#""category": "crm","#,
        r#""name": "acme","#,
        "line 3, column 8, name: \"name\" is there twice in the same object; remove one",
    ),
    (
        r#""tokenPath": "/token","#,
        r#""tokenPath": "/token", "tokenPath": "/other","#,
        "line 16, column 46, config.credentials.oauth2.config.auth.tokenPath: \"tokenPath\" is there twice in the same object; remove one",
    ),
    (r#""label": "Acme","#, r#""label": "Acme""#, "line 7, column 5: this is not JSON: expected `,` or `}`"),
];

#[test]
fn malformed_files_are_refused_with_line_and_field() {
    let mut wrong = Vec::new();
    for (part, by, message) in MALFORMED {
        let text = GOOD.replacen(part, by, 1);
        assert_ne!(text, GOOD, "{part} is in the valid file");
        let found = parse(&text).expect_err(by).to_string();
        assert!(!found.contains("hunter2") && !found.contains("12345678"), "{found}");
        if found != *message {
            wrong.push(format!("{found}\n  instead of\n{message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn anything_but_a_definition_is_refused() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let large = format!("{GOOD}{}", " ".repeat(1024 * 1024));
    for (text, message) in [
        ("", "the file is empty; it must contain a JSON object with \"name\", \"category\" and \"config\""),
        ("\u{feff} \n", "the file is empty; it must contain a JSON object with \"name\", \"category\" and \"config\""),
        ("[]", "line 1, column 1: must be an object in { }, not a list"),
        ("{}", "line 1, column 1: \"name\" is missing; add one, such as \"github\""),
        ("{\"name\": \"x\"}", "line 1, column 1: \"config\" is missing; add one, such as {\"label\": \"GitHub\", ...}"),
        ("{\"name\": \"x\"", "line 1, column 12: the file ends too early; a closing bracket or quote is missing"),
        (
            "{} {}",
            "line 1, column 4: something follows the end of the document; remove it, or the bracket that ends the \
             document too early",
        ),
        ("{\"a\": 1,}", "line 1, column 9: there is a comma before a closing bracket; remove it"),
        ("name: acme", "line 1, column 2: this is not JSON: expected ident"),
        (
            &deep,
            "line 1, column 65: objects and lists are nested more than 64 levels deep; a definition needs far fewer",
        ),
        (&large, "the file is larger than 1 MiB; a definition is far smaller"),
    ] {
        assert_eq!(parse(text).expect_err("refused").to_string(), message, "{text:.60}");
    }
}

/// The problem with the valid file after one value was replaced.
pub(super) fn error_of(pointer: &str, value: Value) -> String {
    parse(&loading::with(pointer, value).to_string()).expect_err(pointer).problem
}
