//! The keys that may stand in `credentials`, `authorization` and `relink` (contract sections 4.3, 4.4 and 4.9).
//!
//! Everywhere else an unknown key is kept with a warning. Here it would change what is sent if it were spelled right, and in
//! the first two it may be a misspelled secret, which would be stored in plain text.

use serde_json::Value;

/// The keys of an object.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) used: &'static [&'static str],
    /// Truto's keys that have no effect here.
    pub(super) unused: &'static [&'static str],
    /// Of these, one must have a placeholder: otherwise they are the credential.
    pub(super) names_credential: &'static [&'static str],
    /// Whether the object is a field of a form.
    pub(super) is_field: bool,
    /// The objects among the values, and the objects in the lists among them.
    inside: &'static [(&'static str, &'static Self)],
}

/// A section with `{"format", "config"}`, or with a map from authentication methods to it.
#[derive(Debug)]
pub(super) struct Section {
    /// The keys of `config`, by format.
    by_format: &'static [(&'static str, &'static Keys)],
    /// Whether the keys of the map are the formats.
    is_keyed_by_format: bool,
}

impl Keys {
    /// The keys of what stands under this key, if it is an object or a list of objects.
    pub(super) fn inside(&self, key: &str) -> Option<&'static Self> {
        self.inside.iter().find(|(name, _)| *name == key).map(|(_, keys)| *keys)
    }
}

impl Section {
    /// The keys of an entry's `config`, if its format is known. `key`: the entry's, in a map.
    pub(super) fn keys_of(&self, entry: &Value, key: Option<&str>) -> Option<&'static Keys> {
        let format = key.filter(|_| self.is_keyed_by_format).or_else(|| entry.get("format")?.as_str())?;
        self.by_format.iter().find(|(name, _)| *name == format).map(|(_, keys)| *keys)
    }
}

pub(super) const CREDENTIALS: Section = Section {
    by_format: &[("oauth2", &OAUTH2), ("api_key", &API_KEY), ("oauth2_client_credentials", &CLIENT_CREDENTIALS)],
    is_keyed_by_format: true,
};

pub(super) const AUTHORIZATION: Section =
    Section { by_format: &[("bearer", &BEARER), ("header", &HEADER), ("basic", &BASIC)], is_keyed_by_format: false };

const fn only(used: &'static [&'static str]) -> Keys {
    Keys { used, unused: &[], names_credential: &[], is_field: false, inside: &[] }
}

const OAUTH2: Keys = Keys {
    used: &[
        "client",
        "auth",
        "scope",
        "pkce",
        "options",
        "params",
        "tokenParams",
        "refreshParams",
        "tokenExpiryDuration",
        "fields",
        "documentation_link",
    ],
    unused: &[],
    names_credential: &[],
    is_field: false,
    inside: &[
        ("client", &CLIENT),
        ("auth", &AUTH),
        ("pkce", &only(&["method"])),
        ("options", &OPTIONS),
        ("fields", &FIELD),
    ],
};

const API_KEY: Keys = Keys {
    used: &["documentation_link", "fields", "permissions_text"],
    // Relink's own override may still set a client after another definition took the place of one with OAuth.
    unused: &["client"],
    names_credential: &[],
    is_field: false,
    inside: &[("fields", &FIELD), ("client", &CLIENT)],
};

const CLIENT_CREDENTIALS: Keys = Keys {
    used: &["documentation_link", "fields", "client", "auth", "scope", "options", "tokenParams", "tokenExpiryDuration"],
    unused: &[],
    names_credential: &[],
    is_field: false,
    inside: &[("fields", &FIELD), ("client", &CLIENT), ("auth", &AUTH), ("options", &OPTIONS)],
};

/// The names of simple-oauth2, also in [`AUTH`] and [`OPTIONS`].
const CLIENT: Keys = Keys {
    used: &["id", "secret", "idParamName", "secretParamName"],
    unused: &[],
    names_credential: &[],
    is_field: false,
    inside: &[],
};

const AUTH: Keys = Keys {
    used: &["tokenHost", "tokenPath", "authorizeHost", "authorizePath", "refreshPath", "revokePath"],
    unused: &[],
    names_credential: &[],
    is_field: false,
    inside: &[],
};

const OPTIONS: Keys = Keys {
    used: &["authorizationMethod", "bodyFormat", "scopeSeparator", "credentialsEncodingMode"],
    unused: &[],
    names_credential: &[],
    is_field: false,
    inside: &[],
};

const FIELD: Keys = Keys {
    used: &[
        "name",
        "label",
        "type",
        "required",
        "default",
        "placeholder",
        "help_text",
        "pattern",
        "options",
        "format",
        "transform",
    ],
    unused: &[],
    names_credential: &[],
    is_field: true,
    inside: &[("options", &only(&["label", "value"]))],
};

const fn with(used: &'static [&'static str], inside: &'static [(&'static str, &'static Keys)]) -> Keys {
    Keys { used, unused: &[], names_credential: &[], is_field: false, inside }
}

/// Relink's own section.
pub(super) const RELINK: Keys = Keys {
    used: &[
        "allow_local",
        "authorization_response_iss_parameter_supported",
        "authorize_params",
        "callback_code_param",
        "client_secret",
        "color",
        "docs",
        "identity",
        "issuer",
        "keep",
        "moved_from",
        "origins",
        "probe",
        "redirects",
        "refresh",
        "refresh_url",
        "revocation_path",
        "revocation_url",
        "sandbox",
        "scope_descriptions",
        "scope_param",
        "scope_path",
        "token_path",
    ],
    unused: &["resources_described_by"],
    names_credential: &[],
    is_field: false,
    inside: &[
        ("docs", &only(&["text", "url"])),
        ("identity", &only(&["from", "id", "label", "path"])),
        ("probe", &with(&["headers", "method", "path", "success"], &[("success", &only(&["equals", "path"]))])),
        (
            "refresh",
            &with(
                &[
                    "client_errors",
                    "daily",
                    "default_expires_in",
                    "error_code_path",
                    "expired_when",
                    "scope_on_refresh",
                    "terminal_errors",
                ],
                &[("expired_when", &only(&["empty", "equals", "path", "status"]))],
            ),
        ),
    ],
};

/// A value of `relink.keep`.
pub(super) const KEPT: Keys = only(&["from", "path"]);

const BEARER: Keys =
    Keys { used: &["path", "token"], unused: &[], names_credential: &["token"], is_field: false, inside: &[] };

const HEADER: Keys = Keys {
    used: &["header_name", "header_value", "expression"],
    unused: &[],
    names_credential: &["header_value"],
    is_field: false,
    inside: &[],
};

const BASIC: Keys = Keys {
    used: &["username", "password"],
    unused: &[],
    names_credential: &["username", "password"],
    is_field: false,
    inside: &[],
};
