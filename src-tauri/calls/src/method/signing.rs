//! Headers with the credential that JSONata gives for each request (contract section 4.4).

use http::{HeaderName, HeaderValue, Request};
use relink_domain::integration::{Header, HeaderError, SigningExpression};
use serde_json::json;

use super::request::{BuildError, Run};
use crate::{account::Account, expressions::Expressions, remote_error::headers_for_expressions};

impl Run<'_> {
    /// Adds the headers to a request that is ready otherwise, if an expression gives them. They go over all others.
    pub(super) async fn sign(
        &self,
        account: &impl Account,
        request: &mut Request<()>,
        body: &[u8],
        expressions: &impl Expressions,
    ) -> Result<(), BuildError> {
        let Some(signing) = account.signing(Some(self.method)) else { return Ok(()) };
        let context = account.fill(&signing.context, &[])?;
        let input = json!({
            "url": request.uri().to_string(),
            "requestOptions": {
                "method": request.method().as_str(),
                "headers": headers_for_expressions(request.headers()),
                // As it is sent, so that it can be signed.
                "body": std::str::from_utf8(body).ok().filter(|body| !body.is_empty()),
            },
            "context": context.expose(),
        });
        let given = expressions.evaluate(&signing.text, input).await;
        let given =
            given.map_err(|error| BuildError::Expression(error.code.unwrap_or_else(|| "no code".to_owned())))?;
        for Header { name, value } in SigningExpression::headers(given.as_ref())? {
            let unfit = || HeaderError::Unfit { name: name.as_str().to_owned() };
            let key: HeaderName = name.as_str().parse().map_err(|_| unfit())?;
            let mut value = HeaderValue::from_bytes(value.expose().as_bytes()).map_err(|_| unfit())?;
            value.set_sensitive(true);
            request.headers_mut().insert(key, value);
        }
        Ok(())
    }
}
