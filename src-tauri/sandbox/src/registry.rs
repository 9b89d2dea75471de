//! The registered clients, scopes and users.

/// The id of the public client.
pub const CLIENT_ID: &str = "relink-sandbox";
/// The id of every confidential client; each has its own secret.
pub const SERVICE_CLIENT_ID: &str = "relink-sandbox-service";
/// The scopes and their descriptions.
pub(crate) const SCOPES: [(&str, &str); 3] =
    [("items:read", "Read items"), ("items:write", "Write items"), ("profile", "See who you are")];

/// A person who can sign in.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The `sub` claim.
    pub subject: &'static str,
    /// The value of the consent page's choice.
    pub key: &'static str,
    pub name: &'static str,
    pub email: &'static str,
}

pub const PEOPLE: [Person; 2] = [
    Person { subject: "sandbox-ada", key: "ada", name: "Ada Lovelace", email: "ada@example.com" },
    Person { subject: "sandbox-grace", key: "grace", name: "Grace Hopper", email: "grace@example.com" },
];
