//! What a datastore answers when it doesn't take an object.

use http::{StatusCode, header::RETRY_AFTER};
use relink_domain::provider_text;
use relink_sync::DeliveryError;
use reqwest::Response;
use serde_json::{Value, json};

/// How long a run waits when the datastore doesn't say.
const RETRY_SECONDS: u64 = 10;
/// What a datastore may ask for at most.
const MAX_RETRY_SECONDS: u64 = 3600;
/// How much of an error is read: S3's have some hundred bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

pub(super) enum Refusal {
    /// Later it may take it.
    Later {
        seconds: u64,
        error: Value,
    },
    Failed(Value),
}

impl Refusal {
    pub fn unreachable(host: &str, error: &reqwest::Error) -> Self {
        let (status, why) = if error.is_timeout() {
            (StatusCode::GATEWAY_TIMEOUT, "didn't answer in time".to_owned())
        } else {
            (StatusCode::BAD_GATEWAY, format!("can't be reached ({})", root_of(error)))
        };
        let message = format!(
            "The datastore at {host} {why}, so nothing was written. Look whether it runs and whether base_url is right."
        );
        let error = json!({
            "statusCode": status.as_u16(), "error": status.canonical_reason(), "message": message, "code": "datastore_unreachable",
        });
        Self::Later { seconds: RETRY_SECONDS, error }
    }

    pub async fn read(host: &str, mut response: Response) -> Self {
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ERROR_BYTES {
                break;
            }
        }
        let error = error_of(host, status, &String::from_utf8_lossy(&body));
        let is_passing =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if is_passing {
            return Self::Later { seconds: asked.unwrap_or(RETRY_SECONDS).min(MAX_RETRY_SECONDS), error };
        }
        Self::Failed(error)
    }

    pub fn while_delivering(self) -> DeliveryError {
        match self {
            Self::Later { seconds, .. } => DeliveryError::RetryAfter { seconds },
            Self::Failed(error) => DeliveryError::Failed(error),
        }
    }

    pub fn into_value(self) -> Value {
        let (Self::Later { error, .. } | Self::Failed(error)) = self;
        error
    }
}

/// The error in Truto's form, with the datastore's own code and message.
fn error_of(host: &str, status: StatusCode, body: &str) -> Value {
    let code = element(body, "Code");
    let said = element(body, "Message").unwrap_or_default();
    let shown = match &code {
        Some(code) if said.is_empty() => code.clone(),
        Some(code) => format!("{said} ({code})"),
        None => format!("status {status}"),
    };
    // The rest of S3's errors repeats what was signed.
    let raw = match &code {
        Some(code) => json!({"Code": code, "Message": said}),
        None => provider_text::multi_line(body).into(),
    };
    json!({
        "statusCode": status.as_u16(),
        "error": status.canonical_reason(),
        "message": format!("The datastore at {host} refused: {shown}"),
        "code": "datastore_refused",
        "hint": hint(status, code.as_deref().unwrap_or_default()),
        "truto_is_remote_error": true,
        "raw_response": raw,
        "provider": {"http_status": status.as_u16(), "code": code, "message": said},
    })
}

/// What to do (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
fn hint(status: StatusCode, code: &str) -> &'static str {
    match code {
        "NoSuchBucket" => "Create the bucket, or correct the datastore's bucket.",
        "AccessDenied" | "AllAccessDisabled" => {
            "Allow this access key to put objects into the bucket (s3:PutObject), and to delete them for the test (s3:DeleteObject)."
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" => {
            "Enter the datastore's access_key_id and secret_access_key again."
        }
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationQueryParametersError" => {
            "The bucket is in another region. Correct the datastore's region, and its base_url if it has one."
        }
        "RequestTimeTooSkewed" | "ExpiredToken" => "Set this computer's clock.",
        "EntityTooLarge" => "Use smaller pages in the job's request.",
        _ if status.is_redirection() => "Correct the datastore's region, and its base_url if it has one.",
        _ if status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED => {
            "Check the datastore's access key and what it may do."
        }
        _ => "Check the datastore's base_url and bucket.",
    }
}

/// The text of an element of S3's errors, which have no attributes and nothing nested.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let mut text = text.to_owned();
    for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
    {
        text = text.replace(entity, c);
    }
    Some(provider_text::single_line(&text, 300)).filter(|text| !text.is_empty())
}

/// The innermost cause: the others only say that a request failed.
fn root_of(error: &reqwest::Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_what_the_datastore_said_and_what_to_do() {
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>The \u{1b}[31mbucket &lt;x&gt; isn&apos;t there</Message></Error>";
        let error = error_of("s3.example", StatusCode::NOT_FOUND, xml);
        assert_eq!(
            (error["statusCode"].as_u64(), error["message"].as_str(), error["hint"].as_str()),
            (
                Some(404),
                Some("The datastore at s3.example refused: The bucket <x> isn't there (NoSuchBucket)"),
                Some("Create the bucket, or correct the datastore's bucket."),
            )
        );
        assert_eq!(error["provider"]["code"], "NoSuchBucket");
        let error = error_of("s3.example", StatusCode::FORBIDDEN, "<h1>no</h1>");
        assert_eq!(error["message"], "The datastore at s3.example refused: status 403 Forbidden");
        assert_eq!(error["raw_response"], "<h1>no</h1>");
    }
}
