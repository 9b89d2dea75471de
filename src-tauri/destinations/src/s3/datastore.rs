//! The row of a datastore.

use std::fmt;

use rusty_s3::{Bucket, Credentials, UrlStyle};
use serde_json::Value;
use url::Url;

/// A datastore of the type `s3`. Its `config`, with Truto's names: `access_key_id`, `secret_access_key`, `region`, `bucket`, and `base_url`,
/// which may be on this machine and is Amazon's if left out.
///
/// The bucket is a part of the path, not of the host, as every server understands it.
#[derive(Clone)]
pub struct Datastore {
    pub(super) bucket: Bucket,
    pub(super) credentials: Credentials,
}

/// What is wrong with the `config` of a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatastoreProblem {
    pub key: &'static str,
    pub problem: String,
}

impl Datastore {
    /// Reads a `config`, with the secrets that are kept elsewhere put back into it.
    pub fn read(config: &Value) -> Result<Self, DatastoreProblem> {
        let fail = |key, problem: &str| DatastoreProblem { key, problem: problem.to_owned() };
        let need = |key: &'static str| match config.get(key) {
            None | Some(Value::Null) => Err(fail(key, "is missing.")),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Some(_) => Err(fail(key, "must be a string that isn't empty.")),
        };
        let (access_key, secret_key) = (need("access_key_id")?, need("secret_access_key")?);
        let (region, bucket) = (need("region")?, need("bucket")?);
        // More than S3 forbids: nothing that changes which host or path a URL has.
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
        if !is_plain(&bucket) || bucket.trim_matches('.').is_empty() {
            return Err(fail("bucket", "must be the name of a bucket, such as \"my-exports\"."));
        }
        if !is_plain(&region) || region.contains('.') {
            return Err(fail("region", "must be the name of a region, such as \"eu-central-1\"."));
        }
        let known = "must be a URL with http or https, and without a user name, such as \"http://127.0.0.1:9000\".";
        let base_url = match config.get("base_url") {
            None | Some(Value::Null) => amazon(&region),
            Some(Value::String(text)) => text.clone(),
            Some(_) => return Err(fail("base_url", known)),
        };
        let url = Url::parse(&base_url).map_err(|_| fail("base_url", known))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(fail("base_url", known));
        }
        let bucket = Bucket::new(url, UrlStyle::Path, bucket, region).map_err(|_| fail("base_url", known))?;
        Ok(Self { bucket, credentials: Credentials::new(access_key, secret_key) })
    }

    /// Where requests go.
    pub const fn url(&self) -> &Url {
        self.bucket.base_url()
    }
}

fn amazon(region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://s3.{region}.amazonaws.com{china}")
}

/// Without the keys.
impl fmt::Debug for Datastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datastore").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn full() -> Value {
        json!({"access_key_id": "key-1", "secret_access_key": "secret-1", "region": "eu-west-1", "bucket": "exports"})
    }

    #[test]
    fn a_config_leads_to_a_bucket() {
        let url = |key: &str, value: Value| {
            let mut config = full();
            config[key] = value;
            Datastore::read(&config).map(|it| it.url().to_string()).map_err(|it| it.key)
        };
        let amazon = "https://s3.eu-west-1.amazonaws.com/exports/";
        assert_eq!(url("base_url", Value::Null), Ok(amazon.to_owned()));
        let china = "https://s3.cn-north-1.amazonaws.com.cn/exports/";
        assert_eq!(url("region", json!("cn-north-1")), Ok(china.to_owned()));
        assert_eq!(url("base_url", json!("http://127.0.0.1:9000")), Ok("http://127.0.0.1:9000/exports/".to_owned()));
        for key in ["access_key_id", "secret_access_key", "region", "bucket"] {
            for value in [Value::Null, json!(""), json!(1)] {
                assert_eq!(url(key, value), Err(key));
            }
        }
        for bad in ["x", "ftp://x", "http://a:b@x", "http://x/?a", "file:///x"] {
            assert_eq!(url("base_url", json!(bad)), Err("base_url"), "{bad}");
        }
        for bad in ["a/b", "..", "a?b", "a b"] {
            assert_eq!(url("bucket", json!(bad)), Err("bucket"), "{bad}");
        }
        for bad in ["a/b", "x.evil.example", "a@b"] {
            assert_eq!(url("region", json!(bad)), Err("region"), "{bad}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", Datastore::read(&full()));
        assert!(shown.contains("exports") && !shown.contains("key-1") && !shown.contains("secret-1"), "{shown}");
    }
}
