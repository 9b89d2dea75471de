//! Many accounts for the benchmarks, which share how they are connected.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use relink_contract::connect::FlowPhase;
use relink_domain::{
    AccountId, Secret,
    account::AuthenticationMethod,
    caller::Caller,
    link::{LinkOptions, Purpose},
};

use crate::{BeginFlow, Engine, Filter};

/// Flows at a time.
const CONNECTING: usize = 16;

/// What a person types into an integration's form.
pub struct Form {
    pub integration: String,
    pub format: AuthenticationMethod,
    /// Names and values.
    pub fields: Vec<(&'static str, String)>,
}

/// Connects so many accounts, each with the form for its number. Panics if one can't be connected.
pub async fn connect_many(engine: &Engine, count: usize, form: impl Fn(usize) -> Form) -> Vec<AccountId> {
    stream::iter((0..count).map(|number| (number, form(number))))
        .for_each_concurrent(CONNECTING, |(number, form)| connect(engine, number, form))
        .await;
    let accounts = engine.accounts().list(&Caller::Person, Filter::default()).await.expect("accounts");
    let accounts: Vec<_> = accounts.iter().map(|view| view.account.id()).collect();
    assert_eq!(accounts.len(), count);
    accounts
}

async fn connect(engine: &Engine, number: usize, Form { integration, format, fields }: Form) {
    let purpose = Purpose::Connect { tenant_id: format!("tenant-{number}") };
    let connections = engine.connections();
    let link = connections.create_link(&Caller::Person, purpose, LinkOptions::default()).await.expect("a link").token;
    let fields: BTreeMap<_, _> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
    let begin = BeginFlow { integration, format, redirect: None, fields, skips_form: true };
    let started = connections.begin_flow(&Caller::Person, link.expose(), begin).await.expect("the flow begins");
    let mut view = started.flow;
    while view.phase != FlowPhase::Succeeded {
        assert_ne!(view.phase, FlowPhase::Failed, "{view:?}");
        let (key, wait) = (started.key.expose(), Duration::from_secs(20));
        view = connections.flow(&Caller::Person, view.id, key, Some(view.version), wait).await.expect("the flow");
    }
}
