//! What each transaction changed, so that whoever shows something asks anew for that alone.
//!
//! Triggers of the connection's own say it, so that no write can forget to. They are no part of the database.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use rusqlite::{Connection, functions::FunctionFlags};

use super::Result;

/// How often each kind of thing was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeCounters {
    /// Accounts, what is told of them, and their timelines.
    pub accounts: u64,
    /// Integrations, and how many accounts they have.
    pub integrations: u64,
    /// Webhooks, and their deliveries.
    pub webhooks: u64,
    /// API tokens.
    pub api_tokens: u64,
}

const ACCOUNTS: u32 = 1;
const INTEGRATIONS: u32 = 2;
const WEBHOOKS: u32 = 4;
const API_TOKENS: u32 = 8;

const EVERY: &[&str] = &["INSERT", "UPDATE", "DELETE"];

/// Which change of which table changes what.
const TABLES: &[(&str, &[&str], u32)] = &[
    ("integrated_account", &["UPDATE"], ACCOUNTS),
    // How many accounts it has stands beside an integration.
    ("integrated_account", &["INSERT", "DELETE"], ACCOUNTS | INTEGRATIONS),
    ("timeline", EVERY, ACCOUNTS),
    // An integration's name and colour stand beside its accounts.
    ("integration", EVERY, ACCOUNTS | INTEGRATIONS),
    ("environment_integration", EVERY, ACCOUNTS | INTEGRATIONS),
    ("webhook", EVERY, WEBHOOKS),
    ("delivery", EVERY, WEBHOOKS),
    ("api_token", EVERY, API_TOKENS),
];

/// What was touched on a connection since it was last asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Touched(Arc<AtomicU32>);

impl Touched {
    /// Follows a connection from now on.
    pub(super) fn follow(connection: &Connection) -> Result<Self> {
        let touched = Self::default();
        let bits = Arc::clone(&touched.0);
        connection.create_scalar_function("touched", 1, FunctionFlags::SQLITE_UTF8, move |call| {
            bits.fetch_or(call.get(0)?, Ordering::Relaxed);
            Ok(0)
        })?;
        for (table, changes, what) in TABLES {
            for change in *changes {
                connection.execute_batch(&format!(
                    "CREATE TEMP TRIGGER touched_{table}_{change} AFTER {change} ON main.{table}
                     BEGIN SELECT touched({what}); END"
                ))?;
            }
        }
        Ok(touched)
    }

    /// What was touched; from here on nothing was.
    pub(super) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl ChangeCounters {
    /// Counts what was touched; whether that is anything.
    pub(super) fn count(&mut self, touched: u32) -> bool {
        let counters = [
            (ACCOUNTS, &mut self.accounts),
            (INTEGRATIONS, &mut self.integrations),
            (WEBHOOKS, &mut self.webhooks),
            (API_TOKENS, &mut self.api_tokens),
        ];
        for (bit, counter) in counters {
            *counter += u64::from(touched & bit != 0);
        }
        touched != 0
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::{Timestamp, account::TimelineEvent};
    use rusqlite::{Transaction, params};

    use super::*;
    use crate::store::{Store, StoreError, settings, timeline};

    /// What a write changed.
    async fn by(store: &Store, write: impl FnOnce(&Transaction<'_>) -> Result<()> + Send + 'static) -> [bool; 4] {
        let before = *store.written().borrow();
        // Some are meant to fail.
        let _ = store.write(write).await;
        let now = *store.written().borrow();
        [
            before.accounts != now.accounts,
            before.integrations != now.integrations,
            before.webhooks != now.webhooks,
            before.api_tokens != now.api_tokens,
        ]
    }

    fn run(sql: &'static str) -> impl FnOnce(&Transaction<'_>) -> Result<()> + Send + 'static {
        move |tx| Ok(tx.execute_batch(sql)?)
    }

    #[tokio::test]
    async fn a_write_says_what_it_changed_and_nothing_else() {
        let store = Store::in_memory().expect("opens");
        let add = |tx: &Transaction<'_>| timeline::add(tx, None, Timestamp::from_millis(0), &TimelineEvent::Checked);
        assert_eq!(by(&store, add).await, [true, false, false, false]);
        let integration = run("INSERT INTO integration VALUES ('i', 'acme', 0, 1, '{}', 0, 0);
             INSERT INTO environment_integration VALUES ('e', 'i', 1, 1, '{}', 0, 0)");
        assert_eq!(by(&store, integration).await, [true, true, false, false]);
        let account =
            run("INSERT INTO integrated_account VALUES ('a', 'e', 't', '{}', 'active', NULL, 0, 0, NULL, 0, 0)");
        assert_eq!(by(&store, account).await, [true, true, false, false]);
        // An upsert is an update: the count of the integration's accounts stays.
        let changed =
            run("INSERT INTO integrated_account VALUES ('a', 'e', 't', '{}', 'active', NULL, 0, 0, NULL, 0, 0)
             ON CONFLICT (id) DO UPDATE SET status = 'needs_reauth'");
        assert_eq!(by(&store, changed).await, [true, false, false, false]);
        let webhook = run("INSERT INTO webhook VALUES ('w', 'https://example.com', 1, NULL, 0, NULL, 0, 0)");
        assert_eq!(by(&store, webhook).await, [false, false, true, false]);
        let token = |tx: &Transaction<'_>| {
            tx.execute("INSERT INTO api_token VALUES ('t', 'agent', ?1, 0, NULL, NULL)", params![[0_u8; 32]])?;
            Ok(())
        };
        assert_eq!(by(&store, token).await, [false, false, false, true]);
        assert_eq!(by(&store, |tx| settings::set(tx, "surface.shown", &1)).await, [false; 4]);
    }

    #[tokio::test]
    async fn what_was_rolled_back_changed_nothing() {
        let store = Store::in_memory().expect("opens");
        let failed = by(&store, |tx| {
            timeline::add(tx, None, Timestamp::from_millis(0), &TimelineEvent::Checked)?;
            Err(StoreError::Stopping)
        });
        assert_eq!(failed.await, [false; 4]);
        assert_eq!(by(&store, |tx| settings::set(tx, "surface.shown", &1)).await, [false; 4]);
    }
}
