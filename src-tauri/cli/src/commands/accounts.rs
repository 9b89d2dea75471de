//! Listing accounts, and the commands about one account.

use std::cmp::Ordering;

use relink_contract::account::{AccountRow, CheckOutcome, CheckReport};
use relink_domain::{
    account::{Status, Verdict},
    failure::Cause,
    name::natural_order,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    input::confirm,
    lookup::{find_account, find_account_id},
};
use crate::{
    api_client::ApiClient,
    exit::{CliError, how_to_reauthorize},
    output::{Output, relative_time},
    table::{Cell, Table, Tone},
    terminal::Stream,
};

const NEEDS_REAUTH_WARNING: &str =
    "Warning: this token still works, but it can't be refreshed any more. Reauthorize the connection.";

pub(super) fn list(client: &ApiClient, output: Output) -> Result<(), CliError> {
    let mut accounts = client.accounts()?;
    accounts.result.sort_by(by_urgency_and_name);
    if accounts.result.is_empty() {
        return output.text(&accounts, |_| {
            "No accounts yet. To try Relink with the Sandbox: relink connect sandbox --open".to_owned()
        });
    }
    output.table(&accounts, |accounts| accounts.result.iter().map(row).collect())
}

fn by_urgency_and_name(one: &AccountRow, other: &AccountRow) -> Ordering {
    urgency(one).cmp(&urgency(other)).then_with(|| natural_order(&one.name, &other.name))
}

/// Sorts accounts that need attention first, then those that Relink retries, then those that work.
fn urgency(account: &AccountRow) -> u8 {
    match (account.status, account.verdict) {
        (Status::Active, _) => 2,
        (_, Some(Verdict::Retrying)) => 1,
        _ => 0,
    }
}

fn row(account: &AccountRow) -> [Cell; 6] {
    let error = account.last_error.as_ref().map_or("", |error| &error.message);
    [
        account.id.to_string().into(),
        account.name.as_str().into(),
        account.integration_label.as_str().into(),
        account.tenant_id.as_str().into(),
        state(account),
        error.into(),
    ]
}

fn state(account: &AccountRow) -> Cell {
    match (account.status, account.verdict) {
        (Status::Active, _) if answers_as_another(account) => Cell::new("answers as somebody else", Tone::Warning),
        (Status::Active, _) if account.waiting.is_some() => Cell::new("waiting for the provider", Tone::Warning),
        (Status::Active, _) if account.is_unchecked => Cell::new("not checked", Tone::Warning),
        (Status::Active, _) => Cell::new("working", Tone::Good),
        (Status::NeedsReauth, Some(Verdict::Retrying)) => {
            Cell::new(&format!("retrying {}", relative_time(account.next_try)), Tone::Warning)
        }
        (Status::NeedsReauth, Some(Verdict::NeedsClient)) => Cell::new("needs OAuth setup", Tone::Bad),
        (Status::NeedsReauth, _) => Cell::new("needs reauthorization", Tone::Bad),
        (Status::Connecting, _) => Cell::new("connecting", Tone::Warning),
        (Status::PostInstallError, _) => Cell::new("post-install error", Tone::Warning),
        (Status::ValidationError, _) => Cell::new("validation error", Tone::Warning),
    }
}

fn answers_as_another(account: &AccountRow) -> bool {
    account.last_error.as_ref().is_some_and(|error| error.code == Cause::AnotherIdentity.code())
}

pub(super) fn show(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let account = find_account(client, id)?;
    let context = client.integrated_account(&account.id.to_string())?.context;
    output.table(&Shown { account, context }, |Shown { account, context }| {
        let mut table = describe(account);
        for row in context_rows(context) {
            table.push(row);
        }
        table
    })
}

/// An account with what was filled in and found for it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    account: AccountRow,
    context: Map<String, Value>,
}

/// The scopes, which are there too, have a row of their own.
fn context_rows(context: &Map<String, Value>) -> Vec<[Cell; 2]> {
    let shown = context.iter().filter(|(name, _)| *name != "oauth");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |(place, (name, value)): (usize, (&String, &Value))| {
        let label = if place == 0 { "Context" } else { "" };
        [label.into(), format!("{name}: {}", text(value)).into()]
    };
    shown.enumerate().map(row).collect()
}

pub(super) fn refresh(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let id = find_account_id(client, id)?;
    let refreshed = client.refresh_account(&id).map_err(|error| error.about_account(&id))?;
    output.table(&refreshed, describe)
}

/// An error is the one of the step that failed.
pub(super) fn run_steps(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let id = find_account_id(client, id)?;
    client.run_steps(&id).map_err(|error| error.about_account(&id))?;
    output.table(&client.account(&id)?, describe)
}

pub(super) fn rename(client: &ApiClient, id: &str, name: String, output: Output) -> Result<(), CliError> {
    output.table(&client.rename_account(&find_account_id(client, id)?, name)?, describe)
}

fn describe(account: &AccountRow) -> Table {
    let scopes = if account.scopes.is_empty() { "–".to_owned() } else { account.scopes.join(" ") };
    let mut table: Table = [
        ["Name".into(), account.name.as_str().into()],
        ["ID".into(), account.id.to_string().into()],
        ["Integration".into(), account.integration_label.as_str().into()],
        ["Signed in as".into(), account.identity.as_deref().unwrap_or("–").into()],
        ["Tenant".into(), account.tenant_id.as_str().into()],
        ["Method".into(), account.authentication_method.as_str().into()],
        ["State".into(), state(account)],
        ["Token expires".into(), expiry(account).into()],
        ["Next refresh".into(), relative_time(account.next_action_at).into()],
        ["Last used".into(), relative_time(account.last_used_at).into()],
        ["Scopes".into(), scopes.into()],
    ]
    .into_iter()
    .collect();
    if let Some(waiting) = &account.waiting {
        let over = relative_time(Some(waiting.until));
        table.push(["Waiting".into(), format!("for {}, over {over} (asked by the provider)", waiting.host).into()]);
    }
    if let Some(error) = &account.last_error {
        table.push(["Problem".into(), Cell::new(&error.message, Tone::Bad)]);
        if let Some(words) = error.provider_words() {
            table.push(["Provider said".into(), words.into()]);
        }
        table.push(["What to do".into(), error.hint.as_str().into()]);
    }
    if account.verdict == Some(Verdict::NeedsPerson) {
        table.push(["".into(), how_to_reauthorize(&account.id.to_string()).into()]);
    }
    table
}

fn expiry(account: &AccountRow) -> String {
    let expiry = relative_time(account.expires_at);
    if account.expiry_is_assumed { format!("{expiry} (assumed)") } else { expiry }
}

pub(super) fn token(client: &ApiClient, id: &str, field: Option<&str>, output: Output) -> Result<(), CliError> {
    let id = find_account_id(client, id)?;
    let token = client.access_token(&id, field).map_err(|error| error.about_account(&id))?;
    if token.needs_reauth {
        // The token is printed even if the warning can't be.
        let _ = Stream::Errors.lines(&format!("{NEEDS_REAUTH_WARNING}\n{}", how_to_reauthorize(&id)));
    }
    output.exact(&token, |token| token.access_token.expose())
}

pub(super) fn check(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let report = client.check_account(&find_account_id(client, id)?)?;
    output.text(&report, describe_check)?;
    match report.outcome {
        CheckOutcome::Unauthorized | CheckOutcome::AnotherIdentity => Err(CliError::from_account(&report.account)),
        CheckOutcome::Accepted | CheckOutcome::Forbidden | CheckOutcome::Inconclusive | CheckOutcome::NoProbe => Ok(()),
    }
}

fn describe_check(report: &CheckReport) -> String {
    let provider = &report.account.integration_label;
    match report.outcome {
        CheckOutcome::Accepted => format!("The account works: {provider} accepted a call."),
        CheckOutcome::Unauthorized => format!("{provider} refused the credential."),
        CheckOutcome::AnotherIdentity => format!("{provider} accepted a call, but for another person."),
        CheckOutcome::Forbidden => format!("{provider} recognized the account but denied the call (403)."),
        CheckOutcome::Inconclusive => {
            format!("Check inconclusive: {provider}'s response doesn't show whether the account works.")
        }
        CheckOutcome::NoProbe => format!("The {provider} integration defines no call to check with."),
    }
}

pub(super) fn delete(client: &ApiClient, id: &str, yes: bool, output: Output) -> Result<(), CliError> {
    let account = find_account(client, id)?;
    if !yes {
        let AccountRow { name, integration_label, .. } = &account;
        let question = format!(
            "Delete {name} ({integration_label})? Its credentials are removed from the keychain, and revoked if the provider \
             supports it. Everything that uses the account stops working."
        );
        confirm(&question, &format!("{name} was not deleted."))?;
    }
    output.text(&client.delete_account(&account.id.to_string())?, |deleted| {
        let message = deleted.message.as_ref().map(|message| format!("\n{message}")).unwrap_or_default();
        format!("{} was deleted.{message}", account.name)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use relink_contract::account::AccountError;
    use relink_domain::{Timestamp, account::AuthenticationMethod};
    use serde_json::json;

    use super::*;

    /// A working account.
    pub(in crate::commands) fn account() -> AccountRow {
        AccountRow {
            id: "0190aaaa-0000-7000-8000-000000000000".parse().expect("an id"),
            name: "Acme".into(),
            tenant_id: "acme-1".into(),
            integration: "sandbox".into(),
            integration_label: "Sandbox".into(),
            status: Status::Active,
            authentication_method: AuthenticationMethod::Oauth2,
            is_sandbox: true,
            identity: None,
            scopes: Vec::new(),
            verdict: None,
            last_error: None,
            next_try: None,
            next_action_at: None,
            expires_at: None,
            expiry_is_assumed: false,
            last_used_at: None,
            is_fresh: true,
            is_unchecked: false,
            waiting: None,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn an_accounts_context_is_shown_without_its_scopes_and_what_it_needs_with_the_command() {
        let context = json!({ "oauth": { "scope": ["read"] }, "item": 2, "parts": ["mill"], "region": "eu" });
        let table: Table = context_rows(context.as_object().expect("an object")).into_iter().collect();
        assert_eq!(text(&table), "Context  item: 2\n         parts: [\"mill\"]\n         region: eu\n");
        let refused = AccountRow { status: Status::NeedsReauth, verdict: Some(Verdict::NeedsPerson), ..account() };
        let command = format!("To reauthorize it: relink reauthorize {} --open", refused.id);
        assert!(text(&describe(&refused)).contains(&command));
        assert!(!text(&describe(&account())).contains("relink reauthorize"));
    }

    fn text(table: &Table) -> String {
        let mut text = Vec::new();
        table.write(&mut text, false).expect("written");
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn an_account_is_described_with_an_assumed_expiry_and_the_providers_words() {
        let text = |account: &AccountRow| text(&describe(account));
        let error = AccountError {
            code: "invalid_grant".into(),
            message: "Gone.".into(),
            hint: "Reauthorize.".into(),
            http_status: Some(400),
            provider_code: Some("invalid_grant".into()),
            provider_message: Some("Token has been revoked".into()),
            missing_scopes: Vec::new(),
            occurred_at: Timestamp::from_millis(0),
        };
        let described = text(&AccountRow { last_error: Some(error.clone()), expiry_is_assumed: true, ..account() });
        assert!(described.contains("invalid_grant: Token has been revoked"), "{described}");
        assert!(described.contains("(assumed)"), "{described}");
        let silent = AccountError { provider_code: None, provider_message: None, ..error };
        let described = text(&AccountRow { last_error: Some(silent), ..account() });
        assert!(!described.contains("Provider said") && !described.contains("assumed"), "{described}");
    }

    #[test]
    fn accounts_that_need_attention_sort_first_then_names_in_their_natural_order() {
        let account = |name: &str, status, verdict| AccountRow { name: name.into(), status, verdict, ..account() };
        let mut accounts = [
            account("Works 427", Status::Active, None),
            account("retries", Status::NeedsReauth, Some(Verdict::Retrying)),
            account("person", Status::NeedsReauth, Some(Verdict::NeedsPerson)),
            account("works 59", Status::Active, None),
            account("client", Status::NeedsReauth, Some(Verdict::NeedsClient)),
        ];
        accounts.sort_by(by_urgency_and_name);
        let order: Vec<_> = accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(order, ["client", "person", "retries", "works 59", "Works 427"]);
    }
}
