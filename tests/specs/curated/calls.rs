//! Every method of every resource, called through `/proxy`.

use std::{collections::BTreeSet, ops::RangeInclusive};

use anyhow::{Context, Result, bail, ensure};
use relink_tests::twin::Twin;
use serde_json::{Value, json};

use super::{
    Answer, Program,
    resources::{self, Expected, Refusal, Resource},
    text_at, with_each,
};

/// What is expected of a provider beside its resources.
struct Case {
    name: &'static str,
    /// The message of a call that is refused for its rate, and the seconds that the provider wants to have then.
    limited: (&'static str, Option<RangeInclusive<u32>>),
    /// The headers of that answer that say what the limit is.
    limits: &'static [(&'static str, RangeInclusive<u32>)],
    /// None: no call of this provider needs a scope.
    forbidden: Option<Forbidden>,
}

/// An account that was granted less than the integration asks for.
struct Forbidden {
    scopes: &'static [&'static str],
    /// A resource's method that needs another scope, and which.
    call: (&'static str, &'static str),
    needs: &'static str,
    says: &'static str,
    /// A resource that may be listed.
    allowed: Option<&'static str>,
}

const CASES: [Case; 8] = [
    Case {
        name: "github",
        limited: ("API rate limit exceeded for user ID 18151210.", Some(1..=8)),
        limits: &[("ratelimit-limit", 5000..=5000), ("ratelimit-remaining", 0..=0), ("ratelimit-reset", 0..=8)],
        forbidden: None,
    },
    Case {
        name: "google",
        limited: ("Rate Limit Exceeded", None),
        limits: &[],
        forbidden: Some(Forbidden {
            scopes: &["openid", "email", "profile", "https://www.googleapis.com/auth/drive.readonly"],
            call: ("events", "list"),
            needs: "https://www.googleapis.com/auth/calendar",
            says: "Request had insufficient authentication scopes.",
            allowed: Some("files"),
        }),
    },
    Case {
        name: "microsoft",
        limited: ("Too many requests", Some(7..=7)),
        limits: &[],
        forbidden: Some(Forbidden {
            scopes: &["offline_access", "User.Read", "Files.Read"],
            call: ("messages", "list"),
            needs: "Mail.Read",
            says: "Access is denied. Check credentials and try again.",
            allowed: Some("files"),
        }),
    },
    Case {
        name: "slack",
        limited: ("ratelimited", Some(7..=7)),
        limits: &[],
        forbidden: Some(Forbidden {
            scopes: &["channels:read"],
            call: ("users", "list"),
            needs: "users:read",
            says: "missing_scope",
            allowed: Some("channels"),
        }),
    },
    Case {
        name: "notion",
        limited: ("You have been rate limited. Please try again in a few minutes.", Some(7..=7)),
        limits: &[],
        forbidden: None,
    },
    Case {
        name: "hubspot",
        limited: ("You have reached your ten_secondly_rolling limit.", Some(10..=10)),
        limits: &[],
        forbidden: Some(Forbidden {
            scopes: &["oauth", "crm.objects.contacts.read"],
            call: ("companies", "list"),
            needs: "crm.objects.companies.read",
            says: "This app has not been granted all required scopes to make this call.",
            allowed: Some("contacts"),
        }),
    },
    Case {
        name: "jira",
        limited: ("Rate limit exceeded.", Some(7..=7)),
        limits: &[("ratelimit-limit", 1000..=1000), ("ratelimit-remaining", 0..=0)],
        forbidden: Some(Forbidden {
            scopes: &["offline_access", "read:jira-work", "read:jira-user"],
            call: ("issues", "create"),
            needs: "write:jira-work",
            says: "Unauthorized; scope does not match",
            allowed: Some("projects"),
        }),
    },
    Case {
        name: "salesforce",
        limited: ("TotalRequests Limit exceeded.", None),
        limits: &[],
        forbidden: Some(Forbidden {
            scopes: &["refresh_token", "openid"],
            call: ("accounts", "list"),
            needs: "api",
            says: "The token is missing a scope: api",
            allowed: None,
        }),
    },
];

/// Every page of a list, from the first one to the last: their sizes, and the records.
async fn walk(program: &Program<'_>, resource: &Resource, limit: Option<usize>) -> Result<(Vec<usize>, Vec<Value>)> {
    let (mut sizes, mut records, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        // A client of Truto begins with an empty cursor.
        let mut further = vec![("next_cursor", std::mem::take(&mut cursor))];
        further.extend(limit.map(|limit| ("limit", limit.to_string())));
        let page = program.list(resource, &further).await?.ok()?;
        let found = page["result"].as_array().with_context(|| format!("no list: {page}"))?;
        ensure!(page["result_count"] == found.len(), "another count than {}: {}", found.len(), page["result_count"]);
        sizes.push(found.len());
        records.extend_from_slice(found);
        ensure!(sizes.len() < 100, "the list has no end");
        match &page["next_cursor"] {
            Value::Null => return Ok((sizes, records)),
            next => next.as_str().context("no text")?.clone_into(&mut cursor),
        }
    }
}

/// The records must be the twin's: all of them, in its order.
fn are_the_twins(found: &[Value], twin: &Twin, resource: &Resource) -> Result<()> {
    let expected = twin.records(resource.collection, &resource.request)?;
    let different = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    ensure!(different.is_none(), "another record: {different:?}");
    ensure!(found.len() == expected.len(), "{} records instead of {}", found.len(), expected.len());
    Ok(())
}

async fn lists(
    program: &Program<'_>,
    twin: &Twin,
    resource: &Resource,
    pages: &[usize],
    limit: Option<&(usize, Vec<usize>)>,
) -> Result<()> {
    let (sizes, found) = walk(program, resource, None).await?;
    are_the_twins(&found, twin, resource)?;
    ensure!(sizes == pages, "pages of {sizes:?}");
    if let Some((limit, pages)) = limit {
        let (sizes, found) = walk(program, resource, Some(*limit)).await?;
        are_the_twins(&found, twin, resource)?;
        ensure!(sizes == *pages, "pages of {sizes:?} with a limit of {limit}");
    }
    // More than any provider gives at once.
    let (_, found) = walk(program, resource, Some(1_000_000)).await?;
    are_the_twins(&found, twin, resource)
}

async fn gets(program: &Program<'_>, twin: &Twin, resource: &Resource, unknown: &str, refusal: Refusal) -> Result<()> {
    let records = twin.records(resource.collection, &resource.request)?;
    for record in [records.first(), records.last()].into_iter().flatten() {
        let found = program.get(resource, &text_at(record, resource.id)?).await?.ok()?;
        ensure!(found == *record, "another record: {found} instead of {record}");
    }
    program.get(resource, unknown).await?.is_remote_error(refusal)
}

async fn creates(
    program: &Program<'_>,
    twin: &Twin,
    resource: &Resource,
    (body, id): (&Value, &str),
    (incomplete, refusal): (&Value, Refusal),
) -> Result<()> {
    let id = text_at(&program.create(resource, body).await?.ok()?, id)?;
    let (_, found) = walk(program, resource, None).await.context("the list afterwards")?;
    are_the_twins(&found, twin, resource)?;
    let has_id = |record: &&Value| text_at(record, resource.id).is_ok_and(|own| own == id);
    let created = found.iter().find(has_id).with_context(|| format!("{id} isn't listed"))?;
    for text in texts_of_relink(body) {
        ensure!(created.to_string().contains(text), "without {text:?}: {created}");
    }
    if resource.method("get").is_some() {
        ensure!(program.get(resource, &id).await?.ok()? == *created, "get gives another record");
    }
    program.create(resource, incomplete).await?.is_remote_error(refusal)
}

/// The list must be of records that the twin has.
async fn parts(program: &Program<'_>, twin: &Twin, resource: &Resource) -> Result<()> {
    let (_, found) = walk(program, resource, None).await?;
    let known = ids(&twin.records(resource.collection, &resource.request)?, resource)?;
    let found = ids(&found, resource)?;
    ensure!(!found.is_empty() && found.is_subset(&known), "{found:?} of {known:?}");
    Ok(())
}

fn ids(records: &[Value], resource: &Resource) -> Result<BTreeSet<String>> {
    records.iter().map(|record| text_at(record, resource.id)).collect()
}

/// A change of the first record is what the twin has of it then.
async fn updates(
    program: &Program<'_>,
    twin: &Twin,
    resource: &Resource,
    body: &Value,
    (unknown, refusal): (&str, Refusal),
) -> Result<()> {
    let first = |records: Vec<Value>| records.into_iter().next().context("no record");
    let before = first(twin.records(resource.collection, &resource.request)?)?;
    let id = text_at(&before, resource.id)?;
    program.update(resource, &id, body).await?.ok()?;
    let after = first(twin.records(resource.collection, &resource.request)?)?;
    ensure!(text_at(&after, resource.id)? == id && after != before, "not changed: {after}");
    for text in texts_of_relink(body) {
        ensure!(after.to_string().contains(text), "without {text:?}: {after}");
    }
    program.update(resource, unknown, body).await?.is_remote_error(refusal)
}

/// The first record is gone after it was deleted.
async fn deletes(program: &Program<'_>, twin: &Twin, resource: &Resource, refusal: Refusal) -> Result<()> {
    let before = twin.records(resource.collection, &resource.request)?;
    let id = text_at(before.first().context("no record")?, resource.id)?;
    program.delete(resource, &id).await?.ok()?;
    ensure!(twin.records(resource.collection, &resource.request)? == before[1..], "another one than {id} is gone");
    program.delete(resource, &id).await?.is_remote_error(refusal)
}

/// The texts in a body that can only be from here.
fn texts_of_relink(body: &Value) -> Vec<&str> {
    match body {
        Value::String(text) if text.contains("Relink") => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_of_relink).collect(),
        Value::Object(members) => members.values().flat_map(texts_of_relink).collect(),
        _ => Vec::new(),
    }
}

/// Calls what every row says.
async fn calls(program: &Program<'_>, twin: &Twin, resources: &[Resource]) -> Result<()> {
    for (n, resource) in resources.iter().enumerate() {
        // There are more calls than HubSpot allows in ten seconds.
        twin.put_clock_ahead(11 * n).await?;
        for (method, expected) in &resource.methods {
            let called = match expected {
                Expected::List { pages, limit } => lists(program, twin, resource, pages, limit.as_ref()).await,
                Expected::Get { unknown, refusal } => gets(program, twin, resource, unknown, *refusal).await,
                Expected::Create { body, id, incomplete, refusal } => {
                    creates(program, twin, resource, (body, id), (incomplete, *refusal)).await
                }
                Expected::Parts => parts(program, twin, resource).await,
                Expected::Update { body, unknown, refusal } => {
                    updates(program, twin, resource, body, (unknown, *refusal)).await
                }
                Expected::Delete { refusal } => deletes(program, twin, resource, *refusal).await,
            };
            called.with_context(|| format!("{method} of {}", resource.name))?;
        }
    }
    twin.put_clock_ahead(0).await
}

/// Each method of the definition has a row, and each row is a method.
fn every_method_has_a_row(twin: &Twin, resources: &[Resource]) -> Result<()> {
    let definition = twin.definition()?;
    let defined = definition["config"]["resources"].as_object().context("no resources")?;
    let methods = |(name, methods): (&String, &Value)| {
        let names = methods.as_object().into_iter().flat_map(|methods| methods.keys().cloned()).collect::<Vec<_>>();
        names.into_iter().map(move |method| (name.clone(), method)).collect::<Vec<_>>()
    };
    let defined: BTreeSet<_> = defined.iter().flat_map(methods).collect();
    let rows = resources.iter().flat_map(|resource| {
        resource.methods.iter().map(|(method, _)| (resource.name.to_owned(), (*method).to_owned()))
    });
    let rows: BTreeSet<_> = rows.collect();
    ensure!(rows == defined, "without a row: {:?}", rows.symmetric_difference(&defined).collect::<Vec<_>>());
    Ok(())
}

async fn run(program: &Program<'_>, resource: &Resource, method: &str) -> Result<Answer> {
    match resource.method(method).with_context(|| format!("no row for {method}"))? {
        Expected::List { .. } | Expected::Parts => program.list(resource, &[]).await,
        Expected::Get { unknown, .. } => program.get(resource, unknown).await,
        Expected::Create { body, .. } => program.create(resource, body).await,
        Expected::Update { body, unknown, .. } => program.update(resource, unknown, body).await,
        Expected::Delete { .. } => bail!("nothing is left to delete"),
    }
}

fn row<'r>(resources: &'r [Resource], name: &str) -> Result<&'r Resource> {
    resources.iter().find(|resource| resource.name == name).with_context(|| format!("no row for {name}"))
}

/// A call that lacks a scope is the account's last forbidden error, and others are allowed.
async fn is_forbidden(program: &Program<'_>, twin: &Twin, resources: &[Resource], case: &Forbidden) -> Result<()> {
    let link = json!({ "tenant_id": format!("{}-with-less", twin.name), "scopes": case.scopes });
    let account = twin.connect_account(program.relink, link).await?;
    let program = Program { account, ..*program };
    let answer = run(&program, row(resources, case.call.0)?, case.call.1).await?;
    answer.is_remote_error((403, case.says))?;
    let missing = json!({ "missing_scopes": [case.needs] });
    let insight = &answer.body["truto_error_insight"]["forbidden_error"]["value"];
    ensure!(*insight == missing, "{}", answer.body);
    let path = format!("/integrated-account/{}", program.account);
    let view = program.relink.until(&path, |it| !it["last_forbidden_error"].is_null()).await?;
    let forbidden = &view["last_forbidden_error"];
    ensure!(forbidden["missing_scopes"] == missing["missing_scopes"], "{view}");
    ensure!(forbidden["resource"] == case.call.0 && forbidden["method"] == case.call.1, "{view}");
    ensure!(view["status"] == "active" && view["last_error"].is_null(), "{view}");
    if let Some(allowed) = case.allowed {
        program.list(row(resources, allowed)?, &[]).await?.ok()?;
    }
    Ok(())
}

/// The provider refuses a call for its rate, and then no other is sent for as long as it wants.
async fn is_limited(program: &Program<'_>, twin: &Twin, resource: &Resource, case: &Case) -> Result<()> {
    twin.limit(7).await?;
    let answer = program.list(resource, &[]).await?;
    let (message, wait) = &case.limited;
    answer.is_remote_error((429, message))?;
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse::<u32>().ok();
    let is_within =
        |name: &str, range: &RangeInclusive<u32>| number(name).is_some_and(|number| range.contains(&number));
    match wait {
        Some(wait) => ensure!(is_within("retry-after", wait), "{:?}", answer.headers),
        None => ensure!(!answer.headers.contains_key("retry-after"), "{:?}", answer.headers),
    }
    for (name, range) in case.limits {
        ensure!(is_within(name, range), "{name}: {:?}", answer.headers);
    }
    let next = program.list(resource, &[]).await?;
    if wait.is_some() {
        ensure!(next.status == 429 && next.body["code"] == "provider_asked_to_wait", "{} {}", next.status, next.body);
        ensure!(next.headers.contains_key("retry-after"), "{:?}", next.headers);
    } else {
        next.ok()?;
    }
    Ok(())
}

#[tokio::test]
async fn each_method_of_each_curated_integration_does_at_its_provider_what_the_definition_says() -> Result<()> {
    let names = CASES.each_ref().map(|case| case.name);
    with_each(&names, async |program, twin| {
        let case = CASES.iter().find(|case| case.name == twin.name).context("no case")?;
        let resources = resources::of(twin)?;
        every_method_has_a_row(twin, &resources)?;
        calls(program, twin, &resources).await?;
        if let Some(forbidden) = &case.forbidden {
            is_forbidden(program, twin, &resources, forbidden).await.context("a call without its scope")?;
        }
        let first = resources.first().context("no resource")?;
        is_limited(program, twin, first, case).await.context("a call too many")?;
        let path = format!("/integrated-account/{}", program.account);
        let view = program.relink.get(&path).await?;
        ensure!(view["status"] == "active" && view["last_forbidden_error"].is_null(), "{view}");
        Ok(())
    })
    .await
}
