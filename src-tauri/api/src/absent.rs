//! Parts of Truto that Relink lacks (contract section 10.4). What there could be of them is an empty list, so that a program that reads it
//! at its start runs; what would make one is refused with 501, which Truto's clients don't try again.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use relink_domain::{integration::NOT_IN_RELINK, permission::Permission};
use serde::Serialize;
use utoipa::openapi::{
    HttpMethod, ObjectBuilder, Paths, PathsBuilder, Required, ResponseBuilder, Type,
    path::{OperationBuilder, ParameterBuilder, ParameterIn, PathItem},
};

use crate::{
    error::{ApiError, ApiResult},
    listing,
    openapi::Routes,
    query::Query,
};

/// A kind of object that Relink has none of.
struct Kind {
    path: &'static str,
    one: &'static str,
    several: &'static str,
    /// Another request about one, below the path.
    action: Option<&'static str>,
}

const fn kind(path: &'static str, one: &'static str, several: &'static str) -> Kind {
    Kind { path, one, several, action: None }
}

const KINDS: &[Kind] = &[
    kind("/alarm", "alarm", "alarms"),
    kind("/daemon", "daemon", "daemons"),
    kind("/daemon-job", "daemon job", "daemon jobs"),
    kind("/daemon-job-run", "run of a daemon job", "runs of daemon jobs"),
    Kind {
        action: Some("/{id}/schedule"),
        ..kind("/daemon-job-cron-trigger", "trigger of a daemon job", "triggers of daemon jobs")
    },
    Kind {
        action: Some("/test"),
        ..kind("/notification-destination", "notification destination", "notification destinations")
    },
    kind("/static-gate", "static gate", "static gates"),
];

/// How a request about something that isn't here is answered.
#[derive(Debug, Clone, Copy)]
enum Answer {
    EmptyList,
    /// There is no such object.
    NoneOf(&'static str),
    /// Relink has no such part.
    Lacks(&'static str),
}

/// An object of which there is none.
#[derive(Debug, Serialize)]
enum Nothing {}

pub(crate) fn routes() -> Routes {
    let of_kinds = KINDS.iter().flat_map(Kind::operations);
    let file = (HttpMethod::Post, "/file".to_owned(), "Upload a file".to_owned(), Answer::Lacks("storage for files"));
    of_kinds.chain([file]).fold(Routes::new(), |routes, (method, path, summary, answer)| {
        let handler = on(filter(&method), move |query: Query| async move { answer.give(&query) });
        routes.with(Permission::ReadAbsent, (Vec::new(), documented(method, path, summary, answer), handler))
    })
}

type Operation = (HttpMethod, String, String, Answer);

impl Kind {
    fn operations(&self) -> Vec<Operation> {
        let Self { path, one, several, action } = *self;
        let of_list = || path.to_owned();
        let of_one = || format!("{path}/{{id}}");
        // Those of Truto's clients (contract section 13.1).
        let each = [
            (HttpMethod::Get, of_list(), format!("List {several}"), Answer::EmptyList),
            (HttpMethod::Get, of_one(), format!("Get a {one}"), Answer::NoneOf(one)),
            (HttpMethod::Post, of_list(), format!("Create a {one}"), Answer::Lacks(several)),
            (HttpMethod::Patch, of_one(), format!("Change a {one}"), Answer::Lacks(several)),
            (HttpMethod::Delete, of_one(), format!("Delete a {one}"), Answer::Lacks(several)),
        ];
        let action = action
            .map(|below| (HttpMethod::Post, format!("{path}{below}"), format!("Use a {one}"), Answer::Lacks(several)));
        each.into_iter().chain(action).collect()
    }
}

impl Answer {
    fn give(self, query: &Query) -> Response {
        match self {
            Self::EmptyList => empty(query).into_response(),
            Self::NoneOf(one) => ApiError::not_found(&format!("There is no such {one}.")).into_response(),
            Self::Lacks(part) => {
                let message = format!("Relink has no {part}. It is a part of Truto that isn't here.");
                ApiError::new(StatusCode::NOT_IMPLEMENTED, NOT_IN_RELINK, &message).into_response()
            }
        }
    }

    const fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::EmptyList => ("200", "An empty page: Relink has none."),
            Self::NoneOf(_) => ("404", "Relink has none."),
            Self::Lacks(_) => ("501", "Relink lacks this part of Truto."),
        }
    }
}

fn empty(query: &Query) -> ApiResult<relink_contract::List<Nothing>> {
    Ok(Json(listing::list(query, Vec::new(), &[], |nothing: &Nothing| match *nothing {})?))
}

const fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Delete => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

fn documented(method: HttpMethod, path: String, summary: String, answer: Answer) -> Paths {
    let (status, description) = answer.status();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let id = format!(
        "{}_{}",
        summary.split(' ').next().unwrap_or_default().to_lowercase(),
        words.collect::<Vec<_>>().join("_")
    );
    let mut operation = OperationBuilder::new()
        .tag("Absent")
        .operation_id(Some(id))
        .summary(Some(summary))
        .response(status, ResponseBuilder::new().description(description));
    for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        let parameter = ParameterBuilder::new()
            .name(name.trim_start_matches('*'))
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        operation = operation.parameter(parameter);
    }
    PathsBuilder::new().path(path, PathItem::new(method, operation)).build()
}
