//! Calls that programs made through Relink.

use relink_domain::{
    AccountId, ApiTokenId, EnvironmentId, Timestamp,
    call::{self, CallRoute, Day, Program, Usage},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// A call that a program made through Relink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, TS)]
pub struct Call {
    /// Its place in the order in which calls ended.
    pub seq: i64,
    /// When it began.
    pub at: Timestamp,
    /// The API token that it was made with; null if it was made without one, by the person or by Relink itself.
    #[schema(required)]
    pub api_token_id: Option<ApiTokenId>,
    /// The token's name when the call was made.
    pub program: String,
    pub route: CallRoute,
    pub method: String,
    /// The path below the route, with the names of the query's parameters. Their values aren't recorded, because they may be
    /// keys.
    pub path: String,
    /// The response's status; null if the caller left before there was one.
    #[schema(required)]
    pub status: Option<u16>,
    /// Until the response's headers were there, in milliseconds.
    #[schema(required)]
    pub headers_ms: Option<f64>,
    /// Until the response had ended, in milliseconds.
    pub total_ms: f64,
    /// The bytes of the request's body that were sent.
    pub sent_bytes: u64,
    /// The bytes of the response's body that the caller took.
    pub received_bytes: u64,
    /// Why there is no complete response of the provider: an error code of Relink's, `caller_left` or `response_broke_off`.
    #[schema(required)]
    pub error: Option<String>,
    /// Whether it counts as an error.
    pub failed: bool,
}

impl Call {
    pub fn new(seq: i64, call: call::Call) -> Self {
        Self {
            seq,
            failed: call.failed(),
            at: call.at,
            api_token_id: call.program.api_token_id,
            program: call.program.name,
            route: call.route,
            method: call.method,
            path: call.path,
            status: call.status,
            headers_ms: call.headers_micros.map(millis),
            total_ms: millis(call.total_micros),
            sent_bytes: call.sent_bytes,
            received_bytes: call.received_bytes,
            error: call.error,
        }
    }
}

/// Rounded to a tenth.
fn millis(micros: u64) -> f64 {
    (std::time::Duration::from_micros(micros).as_secs_f64() * 10_000.0).round() / 10.0
}

/// How much an account was used in the last days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, TS)]
pub struct AccountUsage {
    /// Every day in UTC, oldest first. The last one is today.
    pub days: Vec<UsageOfDay>,
    /// The programs that used it, the latest first.
    pub programs: Vec<UsageOfProgram>,
    /// The calls, with all accounts, that Relink couldn't record since its start, because there were too many at once.
    pub dropped: u64,
}

/// The calls on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, TS)]
pub struct UsageOfDay {
    /// Such as `2026-01-31`.
    pub date: String,
    pub calls: u64,
    /// Those with a status of 400 or more, or without a complete response.
    pub errors: u64,
    /// Half of the calls got their response within so many milliseconds; null without calls.
    #[schema(required)]
    pub p50_ms: Option<f64>,
    /// 95 % of the calls did.
    #[schema(required)]
    pub p95_ms: Option<f64>,
}

/// The calls of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct UsageOfProgram {
    /// Null for the person, and for others without an API token.
    #[schema(required)]
    pub api_token_id: Option<ApiTokenId>,
    /// The token's name at its last call.
    pub name: String,
    pub calls: u64,
    pub errors: u64,
    pub last_at: Timestamp,
}

impl AccountUsage {
    /// `rows`: the calls of each program on each day from `first` on, oldest day first.
    pub fn new(first: Day, today: Day, rows: Vec<(Day, Program, Usage)>, dropped: u64) -> Self {
        let mut days = Vec::new();
        let mut day = first;
        while day <= today {
            let mut sum = Usage::default();
            for (.., usage) in rows.iter().filter(|(of, ..)| *of == day) {
                sum.merge(usage);
            }
            days.push(UsageOfDay {
                date: day.to_string(),
                calls: sum.calls,
                errors: sum.errors,
                p50_ms: sum.latency.percentile(50).map(millis),
                p95_ms: sum.latency.percentile(95).map(millis),
            });
            day = day.next();
        }
        let mut programs: Vec<(Program, Usage)> = Vec::new();
        for (_, program, usage) in rows {
            match programs.iter_mut().find(|(known, _)| known.is(&program)) {
                Some((known, sum)) => {
                    *known = program;
                    sum.merge(&usage);
                }
                None => programs.push((program, usage)),
            }
        }
        programs.sort_by_key(|(_, usage)| std::cmp::Reverse(usage.last_at));
        let programs = programs.into_iter().map(|(program, usage)| UsageOfProgram {
            api_token_id: program.api_token_id,
            name: program.name,
            calls: usage.calls,
            errors: usage.errors,
            last_at: usage.last_at.unwrap_or(Timestamp::from_millis(0)),
        });
        Self { days, programs: programs.collect(), dropped }
    }
}

/// The last calls with an account that were recorded with their bodies, while that is switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct CallBodies {
    /// When the recording ends, and what was recorded is forgotten; null while it is switched off.
    #[schema(required)]
    pub until: Option<Timestamp>,
    /// Newest first, at most 20.
    pub calls: Vec<CallWithBodies>,
}

/// A call with its bodies, as far as they are text: up to 16 KiB of each, without the account's secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct CallWithBodies {
    pub at: Timestamp,
    pub program: String,
    pub method: String,
    pub path: String,
    #[schema(required)]
    pub status: Option<u16>,
    /// Null if there was none, or if it isn't text.
    #[schema(required)]
    pub request: Option<String>,
    /// The same of the response.
    #[schema(required)]
    pub response: Option<String>,
}

/// What a log is about, in Truto's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogType {
    /// Calls through Relink.
    UnifiedProxyApi,
    RapidBridge,
    Webhook,
    SyncJobCronTrigger,
    Mcp,
}

/// An entry of the log `unified_proxy_api`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallLogEntry {
    pub id: String,
    pub log_type: LogType,
    pub created_at: Timestamp,
    pub environment_id: EnvironmentId,
    pub integrated_account_id: AccountId,
    /// Always `proxy`.
    pub request_type: String,
    #[serde(flatten)]
    pub call: Call,
}

impl CallLogEntry {
    pub fn new(environment_id: EnvironmentId, integrated_account_id: AccountId, call: Call) -> Self {
        Self {
            id: call.seq.to_string(),
            log_type: LogType::UnifiedProxyApi,
            created_at: call.at,
            environment_id,
            integrated_account_id,
            request_type: "proxy".to_owned(),
            call,
        }
    }

    /// A field by which the log can be filtered (`log_type_filter[…]`), as text; `None` if it is null.
    pub fn field(&self, name: &str) -> Result<Option<String>, NoSuchField> {
        let call = &self.call;
        Ok(match name {
            "integrated_account_id" => Some(self.integrated_account_id.to_string()),
            "request_type" => Some(self.request_type.clone()),
            "route" => Some(call.route.as_str().to_owned()),
            "method" => Some(call.method.clone()),
            "path" => Some(call.path.clone()),
            "status" => call.status.map(|status| status.to_string()),
            "api_token_id" => call.api_token_id.map(|id| id.to_string()),
            "program" => Some(call.program.clone()),
            "error" => call.error.clone(),
            "failed" => Some(call.failed.to_string()),
            _ => return Err(NoSuchField),
        })
    }
}

/// The log can't be filtered by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchField;

#[cfg(test)]
mod tests {
    use relink_domain::caller::Caller;

    use super::*;

    const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

    fn call(millis: i64, status: u16) -> call::Call {
        call::Call {
            at: Timestamp::from_millis(millis),
            program: Program::from(&Caller::Person),
            route: CallRoute::Via,
            method: "GET".to_owned(),
            path: "/x".to_owned(),
            status: Some(status),
            headers_micros: Some(1_234),
            total_micros: 70_000_049,
            sent_bytes: 1,
            received_bytes: 2,
            error: None,
        }
    }

    fn usage(millis: i64, status: u16) -> Usage {
        let mut usage = Usage::default();
        usage.add(&call(millis, status));
        usage
    }

    #[test]
    fn times_are_in_tenths_of_milliseconds() {
        let call = Call::new(7, call(0, 404));
        assert_eq!((call.headers_ms, call.total_ms, call.failed), (Some(1.2), 70_000.0, true));
    }

    #[test]
    fn usage_has_every_day_and_each_program_once_the_latest_first() {
        let day = Day::of(Timestamp::from_millis(0));
        let agent = |name: &str| Program { api_token_id: Some(NOBODY.parse().expect("an id")), name: name.to_owned() };
        let person = Program::from(&Caller::Person);
        let rows = vec![
            (day - 2, agent("old name"), usage(1, 200)),
            (day - 2, person.clone(), usage(5, 500)),
            (day - 1, Program::from(&Caller::Internal), usage(3, 200)),
            (day, agent("agent"), usage(9, 429)),
        ];
        let usage = AccountUsage::new(day - 3, day, rows, 3);
        let days: Vec<_> = usage.days.iter().map(|day| (day.date.as_str(), day.calls, day.errors)).collect();
        assert_eq!(days, [("1969-12-29", 0, 0), ("1969-12-30", 2, 1), ("1969-12-31", 1, 0), ("1970-01-01", 1, 1)]);
        assert_eq!((usage.days[1].p50_ms, usage.days[0].p95_ms), (Some(1.5), None));
        let programs: Vec<_> = usage.programs.iter().map(|it| (it.name.as_str(), it.calls, it.errors)).collect();
        assert_eq!(programs, [("agent", 2, 1), ("you", 1, 1), ("Relink", 1, 0)]);
        assert_eq!(usage.dropped, 3);
    }

    #[test]
    fn a_log_entry_has_every_field_that_it_is_filtered_by() {
        let entry = CallLogEntry::new(
            NOBODY.parse().expect("an id"),
            NOBODY.parse().expect("an id"),
            Call::new(7, call(0, 404)),
        );
        let wire = serde_json::to_value(&entry).expect("JSON");
        for name in ["integrated_account_id", "request_type", "route", "method", "path", "status", "program", "failed"]
        {
            let text = wire[name].as_str().map_or_else(|| wire[name].to_string(), str::to_owned);
            assert_eq!(entry.field(name), Ok(Some(text)), "{name}");
        }
        assert_eq!(entry.field("unknown"), Err(NoSuchField));
        assert_eq!((wire["id"].as_str(), wire["log_type"].as_str()), (Some("7"), Some("unified_proxy_api")));
    }
}
