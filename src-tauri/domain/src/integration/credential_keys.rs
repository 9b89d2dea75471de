//! Keys of contexts that name credentials, whatever the definition says.

/// Whether a key of a context names a credential for every integration.
pub fn is_always_credential(key: &str) -> bool {
    matches!(
        key,
        "oauth"
            | "credentials"
            | "client_id"
            | "client_secret"
            | "access_token"
            | "access_token_secret"
            | "refresh_token"
            | "id_token"
            | "api_key"
            | "api_token"
            | "token"
            | "password"
            | "secret"
    )
}
