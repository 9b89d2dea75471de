//! The options of forms, and their validation (contract section 2.2).

use std::time::Duration;

use relink_domain::{AccountId, caller::Caller, integration::actions::NamedCall};
use relink_engine::{FormRunner, RunnerFuture, StepCall, StepError};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{Answer, Limits, Steps, answer_of};
use crate::ApiState;

/// For so long a list may be followed, and over so many pages.
const LIST_DEADLINE: Duration = Duration::from_mins(2);
const MAX_PAGES: usize = 1000;

impl FormRunner for Steps {
    fn list<'a>(
        &'a self,
        account: AccountId,
        call: &'a NamedCall,
        query: &'a Map<String, Value>,
        most: usize,
    ) -> RunnerFuture<'a, Result<Vec<Value>, StepError>> {
        Box::pin(async move {
            let listed = Box::pin(all_pages(&self.0, account, call, (query, most)));
            let late = || StepError::new("The list has no end within two minutes.").status(504);
            timeout(LIST_DEADLINE, listed).await.map_err(|_| late())?
        })
    }

    fn validate<'a>(
        &'a self,
        expression: &'a str,
        form: &'a Value,
    ) -> RunnerFuture<'a, Result<Option<Value>, StepError>> {
        Box::pin(async move {
            let evaluated = self.0.expressions.evaluate_with(expression, form, &[]).await;
            evaluated.map_err(|error| StepError::new(format!("Its validation can't be evaluated: {error}")))
        })
    }
}

/// The records of a list, up to its end.
async fn all_pages(
    api: &ApiState,
    account: AccountId,
    named: &NamedCall,
    (query, most): (&Map<String, Value>, usize),
) -> Result<Vec<Value>, StepError> {
    let (mut query, mut all) = (query.clone(), Vec::new());
    for _ in 0..MAX_PAGES {
        let call = StepCall::Named { call: named, query: &query };
        // Whoever opens a form makes this call, so it only reads.
        let answer = Box::pin(answer_of(api, &Caller::Internal, account, call, Limits::OnlyReads)).await;
        let Answer { data, next_cursor } = answer?;
        match data {
            Value::Array(records) => all.extend(records),
            Value::Null => {}
            // A method that gives one record.
            record => all.push(record),
        }
        if all.len() > most {
            return Err(StepError::new(format!("The list has more than {most} entries.")));
        }
        match next_cursor {
            Some(cursor) if query.get("next_cursor").and_then(Value::as_str) == Some(&cursor) => {
                return Err(StepError::new("The provider gives the same page again and again."));
            }
            Some(cursor) => drop(query.insert("next_cursor".to_owned(), cursor.into())),
            None => return Ok(all),
        }
    }
    Err(StepError::new(format!("The list has more than {MAX_PAGES} pages.")))
}
