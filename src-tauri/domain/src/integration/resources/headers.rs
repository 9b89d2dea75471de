//! The headers of a method's request.

use super::method::{Method, MethodAuthorization};
use crate::{
    account::AuthenticationMethod,
    integration::{
        Authorization, Definition,
        header::{Header, HeaderError},
    },
    template::Scope,
};

impl Definition {
    /// How a method's requests are authorized.
    pub fn authorization_of<'d>(
        &'d self,
        method: &'d Method,
        format: AuthenticationMethod,
    ) -> Option<&'d Authorization> {
        match &method.authorization {
            MethodAuthorization::Inherited => self.authorization(format),
            MethodAuthorization::Own(own) => own.get(format),
            MethodAuthorization::None => None,
        }
    }

    /// The headers of a method's request for an account: those of every call, the method's over them, and the one with the credential,
    /// which no other replaces.
    pub fn headers_of(
        &self,
        method: &Method,
        format: AuthenticationMethod,
        scope: &Scope<'_>,
    ) -> Result<Vec<Header>, HeaderError> {
        let signed = self.authorization_of(method, format).map(|it| it.apply(scope)).transpose()?.flatten();
        let shared = self.headers().iter().filter(|header| !method.without_headers.contains(&header.name));
        let mut headers: Vec<Header> = Vec::new();
        let filled = shared.chain(&method.headers).map(|header| header.fill(scope));
        for header in filled.chain([Ok(signed)]) {
            let Some(header) = header? else { continue };
            headers.retain(|other| other.name != header.name);
            headers.push(header);
        }
        Ok(headers)
    }
}
