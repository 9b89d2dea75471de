//! What a caller wants of a unified answer: the parameters `truto_…` (contract section 8.2).

use axum::http::StatusCode;
use relink_domain::unified::Field;
use relink_unified::{Options, ResponseFormat};
use url::form_urlencoded;

use crate::error::ApiError;

/// Reads the parameters of a query. An empty one is as good as none.
pub(super) fn options_of(query: &str) -> Result<Options, ApiError> {
    let mut options = Options::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.is_empty() || value == "None" {
            continue;
        }
        match &*name {
            "truto_ignore_remote_data" => options.ignores_remote_data = value == "true",
            "truto_exclude_fields" => options.excluded = Field::list(&value),
            "truto_key_by" => options.key_by = Some(value.into_owned()),
            "truto_response_format" => {
                options.format = match &*value {
                    // What Truto normalizes isn't specified.
                    "unified" | "normalized" => ResponseFormat::Unified,
                    "raw" => ResponseFormat::Raw,
                    other => {
                        let message =
                            format!("truto_response_format must be unified, normalized or raw, and not {other:?}.");
                        return Err(ApiError::bad_request("response_format_unknown", &message));
                    }
                }
            }
            "truto_super_query" => {
                let message = "Relink has no store of synced records, so truto_super_query can't be answered. Leave it \
                               out to ask the provider.";
                return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_in_relink", message));
            }
            _ => {}
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_read_and_what_cannot_be_done_is_refused() {
        let read = |query: &str| options_of(query).map_err(|error| error.status().as_u16());
        assert_eq!(read("truto_key_by=&truto_response_format=None&truto_super_query=&a=b"), Ok(Options::default()));
        let all = "truto_ignore_remote_data=true&truto_exclude_fields=a,b.c&truto_key_by=id&truto_response_format=raw";
        let expected = Options {
            format: ResponseFormat::Raw,
            ignores_remote_data: true,
            excluded: Field::list("a,b.c"),
            key_by: Some("id".to_owned()),
        };
        assert_eq!(read(all), Ok(expected));
        assert_eq!(read("truto_response_format=normalized"), Ok(Options::default()));
        assert_eq!(read("truto_response_format=xml"), Err(400));
        assert_eq!(read("truto_super_query=apac"), Err(501));
    }
}
