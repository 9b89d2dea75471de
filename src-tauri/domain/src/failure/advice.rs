//! What to do about errors that providers are known for, beyond the general advice for their causes.
//!
//! An entry says only what follows from the provider's own code or words. Sources: Microsoft's list of AADSTS codes
//! (learn.microsoft.com), Google's and Okta's documentation of their OAuth errors, GitHub's and Slack's of theirs.

use super::{Failure, cause::fill};
use crate::verdict::Verdict;

/// What to do about a provider's well-known error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What the error means, and what to do.
    pub hint: String,
    /// A text that is needed for that, to be copied.
    pub copy: Option<String>,
}

/// Where the advice is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// A connect flow failed.
    Flow {
        /// The redirect URI that the flow uses, if it has one.
        redirect_uri: Option<&'a str>,
    },
    /// An account failed.
    Account(Verdict),
}

/// How an error is recognized.
enum Sign {
    /// The error code, or a word in the message.
    Word(&'static str),
    /// All of these texts are in the message, in lower case.
    Phrase(&'static [&'static str]),
    /// The error code `access_denied`, and these texts in the message.
    Denied(&'static [&'static str]),
}

use Sign::{Denied, Phrase, Word};

struct Known {
    signs: &'static [Sign],
    /// `{provider}` becomes the integration's label, `{again}` and `{Again}` how to try again.
    hint: &'static str,
    copies_redirect_uri: bool,
}

const fn known(signs: &'static [Sign], hint: &'static str) -> Known {
    Known { signs, hint, copies_redirect_uri: false }
}

/// The first entry that matches counts.
const TABLE: &[Known] = &[
    Known {
        signs: &[
            // Google and GitHub; Slack; RFC 7591 §3.2.2; Microsoft.
            Word("redirect_uri_mismatch"),
            Word("bad_redirect_uri"),
            Word("invalid_redirect_uri"),
            Word("AADSTS50011"),
            Word("AADSTS500113"),
            Phrase(&["redirect", "match"]),
            Phrase(&["redirect", "registered"]),
            Phrase(&["redirect", "not allowed"]),
            Phrase(&["redirect", "whitelist"]),
            Phrase(&["redirect_uri", "invalid"]),
            Phrase(&["invalid redirect"]),
            Phrase(&["callback url", "match"]),
        ],
        hint: "The redirect URI that Relink uses isn't registered at {provider}. Add it to the redirect URIs of the OAuth client there, \
               character for character, then {again}.",
        copies_redirect_uri: true,
    },
    known(
        &[Word("AADSTS50076"), Word("AADSTS50079"), Word("AADSTS50072"), Word("AADSTS50074"), Word("AADSTS50078")],
        "Your organization requires multi-factor authentication for this sign-in. {Again} and confirm it with your second \
         factor in the browser.",
    ),
    known(
        &[Word("AADSTS53003")],
        "A Conditional Access policy of your organization blocks this sign-in. Ask your Microsoft Entra administrator which \
         requirement isn't met, then {again}.",
    ),
    known(
        &[Word("AADSTS53000"), Word("AADSTS53001"), Word("AADSTS53002"), Word("AADSTS50005")],
        "Your organization allows this sign-in only from a managed device or an approved app. Ask your Microsoft Entra \
         administrator, then {again}.",
    ),
    known(
        &[Word("AADSTS7000222")],
        "The client secret has expired. Create a new one for the app registration in Microsoft Entra, enter it in Relink under \
         Integrations, then {again}.",
    ),
    known(
        &[Word("AADSTS7000215")],
        "Microsoft doesn't accept the client secret. Enter the secret's value, not its ID, in Relink under Integrations, then \
         {again}. If the value is lost, create a new secret in Microsoft Entra.",
    ),
    known(
        &[Word("AADSTS7000218")],
        "Microsoft expects a client secret, and none is set. Enter it in Relink under Integrations, or allow public client flows \
         for the app registration, then {again}.",
    ),
    known(
        &[Word("AADSTS700025")],
        "The app registration is a public client, which has no secret. Remove the client secret in Relink under Integrations, \
         then {again}.",
    ),
    known(
        &[Word("AADSTS700016")],
        "Microsoft doesn't know this client ID in your organization's directory. Check the client ID in Relink under \
         Integrations and which accounts the app registration supports, then {again}.",
    ),
    known(&[Word("AADSTS700082")], "The sign-in wasn't used for too long and has expired. {Again}."),
    known(
        &[Word("AADSTS700084")],
        "The client is registered as a single-page app, whose sign-ins end after 24 hours. Register the redirect URI for mobile \
         and desktop apps instead, then {again}.",
    ),
    known(
        &[Word("AADSTS70043"), Word("AADSTS70044")],
        "Your organization limits how long a sign-in lasts, and that time is over. {Again}.",
    ),
    known(
        &[Word("AADSTS50173"), Word("AADSTS50132"), Word("AADSTS50133")],
        "The sign-in was ended, for example because the password was changed. {Again}.",
    ),
    known(&[Word("AADSTS50055")], "The password has expired. Change it at Microsoft, then {again}."),
    known(
        &[Word("AADSTS50057"), Word("AADSTS50034"), Word("AADSTS50020")],
        "This user doesn't exist in the organization's directory, or was disabled there. Ask your Microsoft Entra administrator, \
         or sign in as somebody else.",
    ),
    known(
        &[Word("AADSTS50105")],
        "The user isn't assigned to this app. Ask your Microsoft Entra administrator for an assignment, then {again}.",
    ),
    known(
        &[Word("AADSTS90094"), Word("AADSTS90093"), Word("AADSTS900941")],
        "An administrator must allow this app for your organization. Ask your Microsoft Entra administrator, then {again}.",
    ),
    known(
        &[Word("AADSTS65001"), Word("AADSTS65004")],
        "Nobody has allowed this app the access that it asks for. {Again} and accept what is asked for in the browser; some \
         access only an administrator can allow.",
    ),
    known(
        &[Word("invalid_rapt"), Word("rapt_required")],
        "Your organization requires that you sign in to Google again after some time. {Again}. A Google Workspace administrator \
         can exempt trusted apps from it.",
    ),
    known(
        &[Word("admin_policy_enforced")],
        "A Google Workspace administrator doesn't allow this app the access that it asks for. Ask the administrator to trust \
         the app's client ID, then {again}.",
    ),
    known(
        &[Word("org_internal")],
        "The OAuth client is limited to users of its own Google organization. Sign in with an account of that organization, or \
         change the user type on the client's consent screen.",
    ),
    known(
        &[Word("disabled_client"), Phrase(&["oauth client was disabled"])],
        "{provider} has disabled the OAuth client. Look at its notice in the provider's console, or enter another client in \
         Relink under Integrations.",
    ),
    known(
        &[Word("deleted_client"), Phrase(&["oauth client was not found"]), Phrase(&["oauth client was deleted"])],
        "The OAuth client doesn't exist at {provider}. Check the client ID in Relink under Integrations, or create a new client \
         there.",
    ),
    known(
        &[Phrase(&["user is not assigned"])],
        "The user isn't assigned to this app at {provider}. Ask an administrator for an assignment, then {again}.",
    ),
    known(
        &[Denied(&["policy"]), Denied(&["administrator"]), Denied(&["not authorized"]), Denied(&["organization"])],
        "{provider} denied this by a rule of the organization. Ask an administrator there to allow this app, then {again}.",
    ),
    known(
        &[Word("application_suspended"), Word("OAUTH_APP_BLOCKED"), Word("OAUTH_APP_ACCESS_DENIED")],
        "{provider} or an administrator has blocked the OAuth app. Ask who owns it.",
    ),
    known(
        &[Word("incorrect_client_credentials"), Word("bad_client_secret"), Word("invalid_client_id")],
        "{provider} doesn't accept the client ID with this secret. Enter both again in Relink under Integrations, then {again}.",
    ),
    known(
        &[Word("unverified_user_email")],
        "The user's e-mail address isn't verified at {provider}. Verify it there, then {again}.",
    ),
    known(
        &[Word("account_inactive"), Word("inactive_user"), Word("user_removed_from_team")],
        "{provider} says that this user isn't active any more. Sign in as somebody who is, or ask an administrator.",
    ),
    known(
        &[Phrase(&["api key not valid"]), Word("API_KEY_INVALID")],
        "Check that the key was copied whole and wasn't deleted at {provider}, then {again}.",
    ),
];

impl Advice {
    /// The advice for what a provider said; `None` if Relink knows nothing particular about it.
    pub fn find(code: Option<&str>, message: Option<&str>, provider: &str, occasion: Occasion<'_>) -> Option<Self> {
        let known = TABLE.iter().find(|known| known.signs.iter().any(|sign| sign.matches(code, message)))?;
        let (again, capitalized) = occasion.again();
        let hint = fill(known.hint, provider).replace("{again}", again).replace("{Again}", capitalized);
        let copy = match occasion {
            Occasion::Flow { redirect_uri } if known.copies_redirect_uri => redirect_uri.map(str::to_owned),
            Occasion::Flow { .. } | Occasion::Account(_) => None,
        };
        Some(Self { hint, copy })
    }
}

impl Failure {
    /// The advice for this failure; `None` if Relink knows nothing particular about what the provider said.
    pub fn advice(&self, provider: &str, occasion: Occasion<'_>) -> Option<Advice> {
        Advice::find(self.provider_code.as_deref(), self.provider_message.as_deref(), provider, occasion)
    }
}

impl Occasion<'_> {
    const fn again(self) -> (&'static str, &'static str) {
        match self {
            Self::Flow { .. } => ("start over", "Start over"),
            Self::Account(Verdict::NeedsPerson) => ("reauthorize the connection", "Reauthorize the connection"),
            Self::Account(Verdict::NeedsClient | Verdict::Retrying) => ("choose Refresh now", "Choose Refresh now"),
        }
    }
}

impl Sign {
    fn matches(&self, code: Option<&str>, message: Option<&str>) -> bool {
        let is_code = |wanted: &str| code.is_some_and(|code| code.eq_ignore_ascii_case(wanted));
        let lower = message.unwrap_or_default().to_lowercase();
        let has_all = |texts: &[&str]| texts.iter().all(|text| lower.contains(text));
        match self {
            Self::Word(word) => {
                let words = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                is_code(word) || words.into_iter().any(|other| other.eq_ignore_ascii_case(word))
            }
            Self::Phrase(texts) => has_all(texts),
            Self::Denied(texts) => is_code("access_denied") && has_all(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "app.relink.desktop:/oauth/callback/acme";

    fn in_flow(code: &str, message: &str) -> Option<Advice> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (code, message) = (given(code), given(message));
        Advice::find(code.as_deref(), message.as_deref(), "Acme", Occasion::Flow { redirect_uri: Some(URI) })
    }

    #[test]
    fn a_redirect_mismatch_comes_with_the_uri_to_register() {
        for (code, message) in [
            ("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application."),
            ("redirect_uri_mismatch", ""),
            ("invalid_grant", "redirect_uri does not match"),
            ("invalid_request", "AADSTS50011: The redirect URI 'x' specified in the request does not match."),
            ("invalid_request", "The redirect_uri is not registered."),
            ("invalid_request", "Redirect URI not allowed"),
            ("bad_redirect_uri", ""),
            ("invalid_request", "Invalid redirect URI"),
            ("invalid_request", "Parameter redirect_uri is invalid"),
            ("", "The callback URL does not match the one that is configured."),
        ] {
            let advice = in_flow(code, message).unwrap_or_else(|| panic!("{code}: {message}"));
            assert_eq!(advice.copy.as_deref(), Some(URI), "{code}: {message}");
            assert!(advice.hint.ends_with("then start over."), "{}", advice.hint);
        }
    }

    #[test]
    fn well_known_errors_are_recognized_by_code_or_word() {
        for (code, message, wanted) in [
            (
                "interaction_required",
                "AADSTS50076: Due to a configuration change made by your administrator",
                "second factor",
            ),
            ("invalid_grant", "AADSTS50079: Due to a configuration change", "second factor"),
            (
                "invalid_client",
                "AADSTS7000222: The provided client secret keys for app 'x' are expired.",
                "has expired",
            ),
            ("invalid_client", "AADSTS7000215: Invalid client secret provided.", "not its ID"),
            ("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.", "wasn't used"),
            ("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked.", "was ended"),
            ("invalid_grant", "AADSTS65001: The user or administrator has not consented", "Nobody has allowed"),
            ("invalid_grant", "reauth related error (invalid_rapt)", "sign in to Google again"),
            ("rapt_required", "", "sign in to Google again"),
            ("admin_policy_enforced", "", "Workspace administrator"),
            ("org_internal", "", "its own Google organization"),
            ("disabled_client", "The OAuth client was disabled.", "disabled"),
            ("invalid_client", "The OAuth client was not found.", "doesn't exist"),
            ("access_denied", "Policy evaluation failed for this request", "rule of the organization"),
            ("access_denied", "User is not assigned to the client application.", "assigned"),
            ("INCORRECT_CLIENT_CREDENTIALS", "", "client ID"),
            ("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "copied whole"),
        ] {
            let advice = in_flow(code, message).unwrap_or_else(|| panic!("{code}: {message}"));
            assert!(advice.hint.contains(wanted), "{code}: {message}: {}", advice.hint);
            assert_eq!(advice.copy, None, "{code}");
        }
    }

    #[test]
    fn nothing_is_said_about_errors_that_relink_does_not_know() {
        for (code, message) in [
            ("", ""),
            ("invalid_grant", "Token has been expired or revoked."),
            ("access_denied", "The user denied access"),
            ("invalid_grant", "AADSTS500760: a longer number"),
            ("invalid_grant", "xAADSTS50076"),
            ("server_error", "policy"),
            ("invalid_request", "too many redirects"),
        ] {
            assert_eq!(in_flow(code, message), None, "{code}: {message}");
        }
    }

    #[test]
    fn the_advice_says_how_to_try_again_where_it_is_given() {
        let code = Some("rapt_required");
        for (verdict, wanted) in [
            (Verdict::NeedsPerson, "Reauthorize the connection."),
            (Verdict::NeedsClient, "Choose Refresh now."),
            (Verdict::Retrying, "Choose Refresh now."),
        ] {
            let advice = Advice::find(code, None, "Google", Occasion::Account(verdict)).expect("known");
            assert!(advice.hint.contains(wanted), "{verdict:?}: {}", advice.hint);
        }
        for known in TABLE {
            assert!(known.hint.ends_with('.') && !known.signs.is_empty(), "{}", known.hint);
        }
    }
}
