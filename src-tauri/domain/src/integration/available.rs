//! Which placeholders an account can fill, so that a mistake in one is an error for who writes the definition.

use super::{error::DefinitionError, node::Node};
use crate::{
    account::AuthenticationMethod,
    template::{Placeholder, Reference, TextTemplate},
};

/// What an account of one format has.
pub(super) struct Available<'a> {
    pub(super) format: AuthenticationMethod,
    pub(super) fields: Vec<&'a str>,
    /// Whether there is a call with an `id`, a `body` and a `query`.
    pub(super) has_call: bool,
    /// Whether it is the steps of a refresh, which alone see the refresh token.
    pub(super) is_refresh: bool,
}

const ACCESS_TOKEN: &str = "access_token";

/// The root that is misspelled most, and whose misspelling can't be meant.
const CREDENTIALS: &str = "credentials";

impl Available<'_> {
    pub(super) const fn has_token(&self) -> bool {
        !matches!(self.format, AuthenticationMethod::ApiKey)
    }

    /// Compiles the template of a header, and checks it.
    pub(super) fn template(&self, node: &Node<'_>) -> Result<TextTemplate, DefinitionError> {
        let template = TextTemplate::parse(node.text()?);
        self.check(node, &template)?;
        Ok(template)
    }

    /// Checks a template. A path to a secret that is never sent is refused always, and other mistakes when the definition is
    /// written: filling a stored template with one fails.
    pub(super) fn check(&self, node: &Node<'_>, template: &TextTemplate) -> Result<(), DefinitionError> {
        if template.has_stray_braces() {
            node.fail_if_written(
                "contains {{ that begins no placeholder and would be sent as it is; write a placeholder as a name between {{ and \
                 }}, such as {{credentials.api_key}}",
            )?;
        }
        template.placeholders().try_for_each(|placeholder| self.check_placeholder(node, placeholder))
    }

    pub(super) fn check_placeholder(&self, node: &Node<'_>, placeholder: &Placeholder) -> Result<(), DefinitionError> {
        let is_never_sent = |reference: Reference<'_>| {
            reference.is_token_apart() && !(self.is_refresh && reference == Reference::RefreshToken)
        };
        if placeholder.references().any(is_never_sent) {
            return Err(node.fail(format_args!(
                "{} names a secret that is never sent; of the tokens only oauth.token.access_token can be named, and in the action \
                 refresh_token also oauth.token.refresh_token",
                placeholder.source()
            )));
        }
        if let Some(problem) = placeholder.problem() {
            node.fail_if_written(problem)?;
        }
        self.check_names(node, placeholder)
    }

    /// Checks that one of the alternatives can be filled. What a link token or a step puts into the context isn't known here.
    fn check_names(&self, node: &Node<'_>, placeholder: &Placeholder) -> Result<(), DefinitionError> {
        let roots = || placeholder.roots().filter(|root| !self.fields.contains(root));
        if let Some(root) = roots().find(|root| *root != CREDENTIALS && is_misspelled(root, CREDENTIALS)) {
            node.fail_if_written(format_args!(
                "{} begins with {root:?}; write {CREDENTIALS:?}, as in {{{{credentials.api_key}}}}",
                placeholder.source()
            ))?;
        }
        let mut problems = placeholder.references().map(|reference| self.problem(reference));
        if let (false, Some(Some(problem))) = (placeholder.has_fallback(), problems.next())
            && problems.all(|other| other.is_some())
        {
            node.fail_if_written(problem)?;
        }
        for name in placeholder.fields().filter(|name| !self.fields.contains(name)) {
            if let Some(field) = self.fields.iter().find(|field| is_misspelled(name, field)) {
                node.warn(format_args!("{} may be a misspelling of the field {field:?}", placeholder.source()));
            }
        }
        Ok(())
    }

    /// Why no account can fill it.
    fn problem(&self, reference: Reference<'_>) -> Option<String> {
        let format = self.format.as_str();
        match reference {
            Reference::Field { name, .. } if self.fields.contains(&name) => None,
            Reference::AccessToken | Reference::Field { name: ACCESS_TOKEN, .. } => {
                (!self.has_token()).then(|| format!("an {format} account has no access token; name one of its fields"))
            }
            Reference::Field { name, is_in_credentials: true } => {
                let asked = match self.fields.as_slice() {
                    [] => "it asks for none".to_owned(),
                    fields => format!("it asks for {}", fields.join(", ")),
                };
                Some(format!("{format} has no field named {name:?}; {asked}"))
            }
            Reference::Root(name) if name != "tenant_id" && !self.has_call => {
                Some(format!("the value {name:?} is not known in a header; name a value of the account"))
            }
            Reference::Field { .. }
            | Reference::RefreshToken
            | Reference::SecretVariable
            | Reference::Root(_)
            | Reference::Protected
            | Reference::Other => None,
        }
    }
}

/// Whether two names of some length differ by one or two letters.
fn is_misspelled(name: &str, meant: &str) -> bool {
    const MIN_CHARS: usize = 6;
    let [name, meant] = [name, meant].map(str::to_ascii_lowercase);
    name != meant && name.len().min(meant.len()) >= MIN_CHARS && distance(name.as_bytes(), meant.as_bytes()) <= 2
}

/// The least number of bytes that are inserted, removed or replaced (Levenshtein's distance).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_wrong_letters_are_a_misspelling() {
        for (name, meant, is_misspelling) in [
            ("credential", "credentials", true),
            ("Credentails", "credentials", true),
            ("crendentials", "credentials", true),
            ("credentials", "credentials", false),
            ("creds", "credentials", false),
            ("api_kye", "api_key", true),
            ("key", "keys", false),
            ("subdomain", "domain", false),
        ] {
            assert_eq!(is_misspelled(name, meant), is_misspelling, "{name}");
        }
    }
}
