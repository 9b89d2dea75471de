//! The Sandbox's pages: small, without scripts, and clearly not those of a real provider.

use std::fmt::Write as _;

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::registry::{PEOPLE, Person};

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#f6f6f4;--pane:#fdfdfc;--line:#e4e3df;--ink:#1d1c1a;--soft:#5d5a54;--accent:#2a5bd7;--on:#fff;--note:#fbefd6;--note-ink:#6b4400}
@media(prefers-color-scheme:dark){:root{--bg:#161617;--pane:#1c1c1e;--line:#323236;--ink:#f2f1ee;--soft:#b4b2ac;--accent:#84a9ff;--on:#0d1730;--note:#3a2e17;--note-ink:#f0bd62}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;padding:16px}
main{width:100%;max-width:440px;background:var(--pane);border:1px solid var(--line);border-radius:14px;padding:32px}
.note{display:inline-block;background:var(--note);color:var(--note-ink);border-radius:99px;padding:2px 10px;font-size:13px;font-weight:600}
h1{font-size:21px;line-height:1.25;margin:12px 0 4px}p{margin:0 0 16px;color:var(--soft)}fieldset{border:1px solid var(--line);border-radius:10px;margin:0 0 16px;padding:8px 16px 12px}
legend{font-weight:600;padding:0 4px}label{display:flex;gap:10px;align-items:center;padding:6px 0}label small{color:var(--soft);display:block}
ul{margin:4px 0 20px;padding-left:20px}code{font-size:13px;color:var(--soft)}.acts{display:flex;gap:10px;flex-wrap:wrap}
button{font:inherit;font-weight:600;border-radius:8px;padding:10px 18px;border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer;flex:1}
button.go{background:var(--accent);border-color:var(--accent);color:var(--on)}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}";

/// A page with its headers. `goes_to`: where its form may redirect to, because browsers apply `form-action` to redirects.
struct Page {
    status: StatusCode,
    title: String,
    body: String,
    goes_to: String,
}

/// What the consent page says.
#[derive(Debug)]
pub(crate) struct Requested {
    /// The provider's name.
    pub(crate) label: String,
    /// The path that takes the decision.
    pub(crate) action: String,
    /// Each scope with its description.
    pub(crate) scopes: Vec<(String, String)>,
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        use sha2::{Digest, Sha256};
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{}; base-uri 'none'; frame-ancestors 'none'",
            self.goes_to
        );
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head>\
             <body><main>{body}</main></body></html>",
            title = self.title,
            body = self.body,
        );
        let headers = [
            ("content-security-policy", policy.as_str()),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
        ];
        (self.status, headers, Html(html)).into_response()
    }
}

/// The consent page. A scenario's texts may be anybody's, so they are escaped.
pub(crate) fn consent(consent: &str, redirect_uri: &str, asked: &Requested) -> impl IntoResponse {
    let (label, action) = (escape(&asked.label), escape(&asked.action));
    // Writing to a String can't fail.
    let mut people = String::new();
    for (at, Person { key, name, email, .. }) in PEOPLE.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        let _ = write!(
            people,
            "<label><input type=\"radio\" name=\"person\" id=\"person-{key}\" value=\"{key}\"{checked}>\
             <span>{name}<small>{email}</small></span></label>"
        );
    }
    let mut requested = String::new();
    for (scope, description) in &asked.scopes {
        let _ = write!(requested, "<li>{} <code>{}</code></li>", escape(description), escape(scope));
    }
    let asks =
        if requested.is_empty() { String::new() } else { format!("<p><b>Relink asks for</b></p><ul>{requested}</ul>") };
    let body = format!(
        "<span class=\"note\">Sandbox: for testing, nothing here is real</span><h1>Let Relink use your {label} account?</h1>\
         <p>This is where a real provider asks you to sign in.</p><form method=\"post\" action=\"{action}\">\
         <input type=\"hidden\" name=\"consent\" value=\"{consent}\"><fieldset><legend>Sign in as</legend>{people}</fieldset>{asks}\
         <div class=\"acts\"><button class=\"go\" id=\"allow\" name=\"decision\" value=\"allow\">Allow</button>\
         <button id=\"deny\" name=\"decision\" value=\"deny\">Deny</button></div></form>"
    );
    // The redirect URI was matched against the registered ones, so its scheme or origin is safe in a policy.
    let goes_to = match redirect_uri.split_once("/oauth/") {
        Some((origin, _)) if origin.starts_with("http://") => format!(" {origin}"),
        Some((scheme, _)) => format!(" {scheme}"),
        None => String::new(),
    };
    Page { status: StatusCode::OK, title: format!("Sign in to {label}"), body, goes_to }
}

/// The page for a refused request that can't be redirected.
pub(crate) fn refused(why: &'static str) -> impl IntoResponse {
    let body = format!("<span class=\"note\">Sandbox</span><h1>This sign-in can’t continue</h1><p>{why}</p>");
    Page { status: StatusCode::BAD_REQUEST, title: "Sandbox".to_owned(), body, goes_to: String::new() }
}

/// For text and for attributes in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
