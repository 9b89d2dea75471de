//! The formats of credentials. They are Truto's authentication methods.

use super::{
    error::DefinitionError,
    node::{Node, listed},
};
use crate::account::AuthenticationMethod;

/// All formats, the preferred one first.
pub const FORMATS: [AuthenticationMethod; 3] =
    [AuthenticationMethod::Oauth2, AuthenticationMethod::ApiKey, AuthenticationMethod::Oauth2ClientCredentials];

/// Their names in a file.
pub(super) const NAMES: [&str; 3] = [FORMATS[0].as_str(), FORMATS[1].as_str(), FORMATS[2].as_str()];

pub(super) const WORDS: [(&str, AuthenticationMethod); 3] =
    [(NAMES[0], FORMATS[0]), (NAMES[1], FORMATS[1]), (NAMES[2], FORMATS[2])];

/// Truto's other formats (contract section 4.3): OAuth 1.0a, and the way of one provider.
const LACKING: [&str; 2] = ["oauth", "keka_oauth"];

/// The error for a format of Truto's that Relink lacks.
pub(super) fn lacking(name: &str, node: &Node<'_>) -> Option<DefinitionError> {
    let is_lacking = LACKING.contains(&name);
    is_lacking.then(|| node.lacking(format_args!("is the format {name:?}, which Relink lacks; use {}", listed(&NAMES))))
}

/// A format by its name.
pub(super) fn format(node: &Node<'_>) -> Result<AuthenticationMethod, DefinitionError> {
    match node.text().ok().and_then(|name| lacking(name, node)) {
        Some(error) => Err(error),
        None => node.one_of(&WORDS),
    }
}

/// A value for each format that an integration has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerFormat<T> {
    oauth2: Option<T>,
    api_key: Option<T>,
    oauth2_client_credentials: Option<T>,
}

impl<T> Default for PerFormat<T> {
    fn default() -> Self {
        Self { oauth2: None, api_key: None, oauth2_client_credentials: None }
    }
}

impl<T> PerFormat<T> {
    pub const fn get(&self, format: AuthenticationMethod) -> Option<&T> {
        match format {
            AuthenticationMethod::Oauth2 => self.oauth2.as_ref(),
            AuthenticationMethod::ApiKey => self.api_key.as_ref(),
            AuthenticationMethod::Oauth2ClientCredentials => self.oauth2_client_credentials.as_ref(),
        }
    }

    pub const fn take(&mut self, format: AuthenticationMethod) -> Option<T> {
        self.slot(format).take()
    }

    pub const fn is_empty(&self) -> bool {
        self.oauth2.is_none() && self.api_key.is_none() && self.oauth2_client_credentials.is_none()
    }

    pub(super) fn put(&mut self, format: AuthenticationMethod, value: T) {
        *self.slot(format) = Some(value);
    }

    const fn slot(&mut self, format: AuthenticationMethod) -> &mut Option<T> {
        match format {
            AuthenticationMethod::Oauth2 => &mut self.oauth2,
            AuthenticationMethod::ApiKey => &mut self.api_key,
            AuthenticationMethod::Oauth2ClientCredentials => &mut self.oauth2_client_credentials,
        }
    }
}
