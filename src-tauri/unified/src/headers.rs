//! Headers that a mapping gives.

use http::{HeaderMap, HeaderName, HeaderValue};
use relink_calls::Expressions;
use relink_domain::unified::Expression;
use serde_json::Value;

use crate::{evaluation::MappingFailed, proxy::Proxy, run::Run};

impl<P: Proxy, X: Expressions> Run<'_, '_, P, X> {
    /// The headers that an expression gives. Null leaves one out.
    pub(crate) async fn header_map(&self, key: &str, expression: &Expression) -> Result<HeaderMap, MappingFailed> {
        let given = self.evaluator.object(key, expression, self.scope.input()).await?;
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            let text = match &value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let (Ok(parsed), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&text)) else {
                return Err(self.evaluator.fail(
                    key,
                    None,
                    format_args!("{name:?} can't be a header with this value."),
                ));
            };
            headers.insert(parsed, value);
        }
        Ok(headers)
    }
}
