//! Which accounts to list, as SQL conditions.

use relink_domain::{AccountId, EnvironmentIntegrationId, Timestamp};
use rusqlite::types::Value;

/// Which accounts to list. What is given must all apply.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None`: any; empty: no account.
    pub ids: Option<Vec<AccountId>>,
    pub tenant_id: Option<String>,
    /// Their stored names; empty: any.
    pub statuses: Vec<String>,
    /// The integration's name.
    pub integration: Option<String>,
    pub environment_integration_id: Option<EnvironmentIntegrationId>,
    pub is_sandbox: Option<bool>,
    pub times: Vec<TimeBound>,
}

/// A bound that a time of an account must keep.
#[derive(Debug, Clone, Copy)]
pub struct TimeBound {
    pub time: AccountTime,
    pub comparison: Comparison,
    pub bound: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub enum AccountTime {
    Created,
    Updated,
}

#[derive(Debug, Clone, Copy)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// SQL conditions, and the values of their parameters.
    pub(super) fn conditions(&self) -> (Vec<String>, Vec<Value>) {
        let Self { ids, tenant_id, statuses, integration, environment_integration_id, is_sandbox, times } = self;
        let mut conditions = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        if let Some(ids) = ids {
            conditions.push(format!("id IN ({})", parameters(ids.len())));
            values.extend(ids.iter().map(|id| Value::from(id.to_string())));
        }
        if let Some(tenant_id) = tenant_id {
            conditions.push("tenant_id = ?".to_owned());
            values.push(tenant_id.clone().into());
        }
        if !statuses.is_empty() {
            conditions.push(format!("status IN ({})", parameters(statuses.len())));
            values.extend(statuses.iter().cloned().map(Value::from));
        }
        if let Some(integration) = integration {
            conditions.push(
                "environment_integration_id = (SELECT e.id FROM environment_integration e
                   JOIN integration i ON i.id = e.integration_id WHERE i.name = ?)"
                    .to_owned(),
            );
            values.push(integration.clone().into());
        }
        if let Some(environment_integration_id) = environment_integration_id {
            conditions.push("environment_integration_id = ?".to_owned());
            values.push(environment_integration_id.to_string().into());
        }
        if let Some(is_sandbox) = is_sandbox {
            conditions.push("document ->> '$.profile.is_sandbox' = ?".to_owned());
            values.push(i64::from(*is_sandbox).into());
        }
        for TimeBound { time, comparison, bound } in times {
            let column = match time {
                AccountTime::Created => "created_at",
                AccountTime::Updated => "updated_at",
            };
            let operator = match comparison {
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
            };
            conditions.push(format!("{column} {operator} ?"));
            values.push(bound.as_millis().into());
        }
        (conditions, values)
    }
}

/// So many placeholders.
fn parameters(count: usize) -> String {
    vec!["?"; count].join(", ")
}
