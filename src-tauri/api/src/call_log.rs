//! The log of programs' calls: Truto's `/log`, and Relink's own routes.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    List, Results,
    call::{AccountUsage, Call, CallBodies, CallLogEntry, LogType},
    log::LogEntry,
};
use relink_domain::{AccountId, Timestamp, caller::Caller, permission::Permission};
use relink_engine::{CALL_DAYS, CallQuery, Comparison, Condition};
use utoipa_axum::routes;

use crate::{
    ApiState,
    error::{ApiError, ApiResult},
    openapi::{Conflict, NotFound, QueryErrors, Routes},
    path::PathId,
    query::{Query, invalid},
    sync::{self, log::Wanted},
};

/// The default and maximum page size of the log (contract section 10.4).
const MAX_ENTRIES: usize = 100;
/// The longest time that one request may ask for: a month.
const MAX_RANGE_MILLIS: i64 = CALL_DAYS * 24 * 60 * 60 * 1000;
/// As many records are read at a time while the filter is applied.
const READ_AT_ONCE: usize = 1000;
/// The days of the usage, unless the request says otherwise.
const DEFAULT_DAYS: i64 = 14;

const FILTER: &str = "log_type_filter";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadCalls, routes!(log))
        .with(Permission::ReadCalls, routes!(calls))
        .with(Permission::ReadCalls, routes!(usage))
        .with(Permission::RecordBodies, routes!(bodies, record_bodies, stop_recording_bodies))
}

/// Read the log
///
/// Newest first. `unified_proxy_api` has the last 100 calls of each account, of the last 31 days, `rapid_bridge` the lines of runs of sync
/// jobs, and `sync_job_cron_trigger` the runs that triggers made, and why one couldn't be made. Logs of other types are empty.
#[utoipa::path(
    get,
    path = "/log",
    operation_id = "read_log",
    tag = "Calls",
    params(
        ("log_type" = inline(LogType), Query),
        ("created_at[gt]" = Option<String>, Query, description = "A time. Default: a month before `created_at[lt]`."),
        ("created_at[lt]" = Option<String>, Query, description = "A time, at most a month after `created_at[gt]`. Default: now."),
        ("log_type_filter[integrated_account_id]" = Option<String>, Query, description = "Also `route`, `method`, `path`, `status`, `api_token_id`, `program`, `error` and `failed`. Filters have operators: `log_type_filter[path][like]=/v1/%`."),
        ("log_type_filter[sync_job_run_id]" = Option<String>, Query, description = "Of `rapid_bridge`, also `sync_job_id`, `integrated_account_id`, `level`, `node` and `message`. Of `sync_job_cron_trigger`, also `sync_job_cron_trigger_id`, `status` and `error`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 100, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the log", body = List<LogEntry>), QueryErrors),
)]
async fn log(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<LogEntry>> {
    let log_type = log_type(query.one("log_type"))?;
    let limit = match query.one("limit").map(str::parse) {
        None => MAX_ENTRIES,
        Some(Ok(limit)) if limit > 0 => std::cmp::min(limit, MAX_ENTRIES),
        Some(_) => return Err(invalid("limit must be a whole number from 1 to 100.")),
    };
    let (after, before) = range(&query, api.engine.now())?;
    let filters = filters(&query)?;
    let is_wanted = |entry: &LogEntry| filters.iter().all(|(name, condition)| matches(entry, name, condition));
    let cursor = query.one("next_cursor");
    let run = format!("{FILTER}[sync_job_run_id]");
    let wanted = Wanted { after, before, limit, cursor, run: query.one(&run), matches: &is_wanted };
    Ok(Json(match log_type {
        LogType::UnifiedProxyApi => calls_in(&api, &caller, &query, &wanted).await?,
        LogType::RapidBridge => sync::log::lines(&api, &caller, &wanted).await?,
        LogType::SyncJobCronTrigger => sync::log::firings(&api, &caller, &wanted).await?,
        LogType::Webhook | LogType::Mcp => {
            cursor.map(place_of).transpose()?;
            List { result: Vec::new(), next_cursor: None, limit }
        }
    }))
}

/// The calls of programs, newest first.
async fn calls_in(
    api: &ApiState,
    caller: &Caller,
    query: &Query,
    asked: &Wanted<'_>,
) -> Result<List<LogEntry>, ApiError> {
    let limit = asked.limit;
    let place = asked.cursor.map(place_of).transpose()?;
    let accounts = accounts_of(query);
    let mut wanted = CallQuery { accounts, after: Some(asked.after), before: Some(asked.before), place };
    let (mut result, mut next_cursor) = (Vec::new(), None);
    loop {
        let read = api.engine.call_log().calls(caller, wanted.clone(), READ_AT_ONCE).await?;
        let is_last = read.len() < READ_AT_ONCE;
        for recorded in read {
            let place = (recorded.call.at, recorded.seq);
            wanted.place = Some(place);
            let call = Call::new(recorded.seq, recorded.call);
            let entry = CallLogEntry::new(api.engine.environment_id(), recorded.account_id, call);
            let entry = LogEntry::Call(entry);
            if !(asked.matches)(&entry) {
                continue;
            }
            if result.len() == limit {
                return Ok(List { result, next_cursor, limit });
            }
            result.push(entry);
            next_cursor = Some(format!("{}.{}", place.0.as_millis(), place.1));
        }
        if is_last {
            return Ok(List { result, next_cursor: None, limit });
        }
    }
}

fn log_type(text: Option<&str>) -> Result<LogType, ApiError> {
    let named = text.and_then(|text| serde_json::from_value(text.into()).ok());
    named.ok_or_else(|| invalid("log_type must be one of Truto's types, such as unified_proxy_api for calls."))
}

/// The time between which the entries are.
fn range(query: &Query, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let (mut after, mut before) = (None, None);
    for condition in query.times("created_at")? {
        match condition {
            Condition::Compare(Comparison::Greater, at) => after = Some(at),
            Condition::Compare(Comparison::GreaterOrEqual, at) => after = Some(at.plus_millis(-1)),
            Condition::Compare(Comparison::Less, at) => before = Some(at),
            Condition::Compare(Comparison::LessOrEqual, at) => before = Some(at.plus_millis(1)),
            _ => return Err(invalid("created_at takes gt, gte, lt and lte.")),
        }
    }
    let before = before.unwrap_or_else(|| now.plus_millis(1).max(after.unwrap_or(now)));
    let after = after.unwrap_or_else(|| before.plus_millis(-MAX_RANGE_MILLIS));
    // A millisecond more on each side, for `gte` and `lte`.
    if before.millis_since(after) > MAX_RANGE_MILLIS + 2 {
        return Err(invalid(
            "The time between created_at[gt] and created_at[lt] must not be longer than a month (31 days).",
        ));
    }
    Ok((after, before))
}

fn place_of(cursor: &str) -> Result<(Timestamp, i64), ApiError> {
    let place = cursor
        .split_once('.')
        .and_then(|(at, seq)| Some((Timestamp::from_millis(at.parse().ok()?), seq.parse().ok()?)));
    place.ok_or_else(|| invalid("This next_cursor isn't valid."))
}

/// The conditions of `log_type_filter[…]`, by the name of their field.
fn filters(query: &Query) -> Result<Vec<(String, Condition<String>)>, ApiError> {
    let mut filters = Vec::new();
    for name in filtered_fields(query) {
        let conditions = query.texts(&format!("{FILTER}[{name}]"), false)?;
        filters.extend(conditions.into_iter().map(|condition| (name.clone(), condition)));
    }
    Ok(filters)
}

fn filtered_fields(query: &Query) -> Vec<String> {
    let mut names: Vec<String> = query
        .pairs()
        .filter_map(|(key, _)| Some(key.strip_prefix(FILTER)?.strip_prefix('[')?.split_once(']')?.0.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// An unknown field is ignored, as on other lists (contract section 0.2).
fn matches(entry: &LogEntry, name: &str, condition: &Condition<String>) -> bool {
    entry.field(name).map_or(true, |value| condition.matches_optional(value.as_ref()))
}

/// The one account that the filter names, whose calls are then found without reading others.
fn accounts_of(query: &Query) -> Option<Vec<AccountId>> {
    let id = query.one(&format!("{FILTER}[integrated_account_id]"))?;
    Some(id.parse().into_iter().collect())
}

/// List an account's last calls
///
/// Newest first, at most 100, of the last 31 days.
#[utoipa::path(
    get,
    path = "/relink/accounts/{id}/calls",
    operation_id = "list_calls",
    tag = "Calls",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The calls", body = Results<Call>), NotFound),
)]
async fn calls(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<Results<Call>> {
    Ok(Json(Results { result: api.engine.call_log().calls_of(&caller, id).await? }))
}

/// Show how much an account is used
///
/// Calls, errors and latency on each of the last days, and which programs made them.
#[utoipa::path(
    get,
    path = "/relink/accounts/{id}/usage",
    operation_id = "get_usage",
    tag = "Calls",
    params(
        ("id" = AccountId, Path),
        ("days" = Option<i64>, Query, minimum = 1, maximum = 31, description = "How many days, today included. Default: 14."),
    ),
    responses((status = 200, description = "The usage", body = AccountUsage), QueryErrors, NotFound),
)]
async fn usage(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    query: Query,
) -> ApiResult<AccountUsage> {
    let days = query.number("days", DEFAULT_DAYS)?;
    if !(1..=CALL_DAYS).contains(&days) {
        return Err(invalid("days must be a whole number from 1 to 31."));
    }
    Ok(Json(api.engine.call_log().usage_of(&caller, id, days).await?))
}

/// Show an account's last calls with their bodies
#[utoipa::path(
    get,
    path = "/relink/accounts/{id}/call-bodies",
    operation_id = "get_call_bodies",
    tag = "Calls",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The calls", body = CallBodies), NotFound),
)]
async fn bodies(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<CallBodies> {
    Ok(Json(api.engine.call_log().bodies(&caller, id).await?))
}

/// Record the bodies of an account's calls for an hour
///
/// They are kept in memory only. Switched on again, it goes on for another hour.
#[utoipa::path(
    post,
    path = "/relink/accounts/{id}/call-bodies",
    operation_id = "record_call_bodies",
    tag = "Calls",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "What is recorded", body = CallBodies), NotFound, Conflict),
)]
async fn record_bodies(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<CallBodies> {
    Ok(Json(api.engine.call_log().record_bodies(&caller, id, true).await?))
}

/// Stop recording the bodies of an account's calls, and forget them
#[utoipa::path(
    delete,
    path = "/relink/accounts/{id}/call-bodies",
    operation_id = "stop_recording_call_bodies",
    tag = "Calls",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "Nothing is recorded", body = CallBodies), NotFound),
)]
async fn stop_recording_bodies(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<CallBodies> {
    Ok(Json(api.engine.call_log().record_bodies(&caller, id, false).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::query;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn the_range_is_a_month_at_most_and_ends_now_unless_the_query_says_otherwise() {
        let of = |pairs: &[(&str, &str)]| range(&query(pairs), NOW).map_err(|_| ());
        let month = MAX_RANGE_MILLIS;
        assert_eq!(of(&[]), Ok((NOW.plus_millis(1 - month), NOW.plus_millis(1))));
        let (from, to) = ("2027-01-01T00:00:00Z", "2027-01-10T00:00:00Z");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(of(&[("created_at[gt]", from), ("created_at[lt]", to)]), Ok((at(from), at(to))));
        assert_eq!(of(&[("created_at[gte]", from), ("created_at[lte]", to)]), {
            Ok((at(from).plus_millis(-1), at(to).plus_millis(1)))
        });
        assert_eq!(of(&[("created_at[lt]", to)]), Ok((at(to).plus_millis(-month), at(to))));
        assert_eq!(of(&[("created_at[gt]", from)]), Ok((at(from), NOW.plus_millis(1))));
        assert_eq!(of(&[("created_at[gt]", "2026-11-01"), ("created_at[lt]", "2026-12-02")]).map(|_| ()), Ok(()));
        for bad in [
            &[("created_at[gt]", "2026-11-01"), ("created_at[lt]", "2026-12-03")][..],
            &[("created_at[gt]", "2026-11-01")],
            &[("created_at[ne]", from)],
            &[("created_at", from)],
        ] {
            assert_eq!(of(bad), Err(()), "{bad:?}");
        }
    }

    #[test]
    fn a_log_type_is_required_and_one_of_trutos() {
        assert_eq!(log_type(Some("unified_proxy_api")).ok(), Some(LogType::UnifiedProxyApi));
        assert_eq!(log_type(Some("sync_job_cron_trigger")).ok(), Some(LogType::SyncJobCronTrigger));
        for bad in [None, Some("proxy"), Some("UnifiedProxyApi")] {
            assert!(log_type(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn filters_are_read_by_their_field_with_operators() {
        let found = filters(&query(&[
            ("log_type_filter[status]", "404"),
            ("log_type_filter[path][like]", "/v1/%"),
            ("log_type", "unified_proxy_api"),
        ]));
        let expected = [
            ("path".to_owned(), Condition::Like("/v1/%".to_owned())),
            ("status".to_owned(), Condition::In(vec!["404".to_owned()])),
        ];
        assert_eq!(found.expect("read"), expected);
        assert!(filters(&query(&[("log_type_filter[status][about]", "4")])).is_err());
    }
}
