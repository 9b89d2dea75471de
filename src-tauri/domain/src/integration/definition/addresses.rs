//! The addresses that credentials are bound to.

use serde_json::{Map, Value};

use super::Definition;
use crate::{
    account::AuthenticationMethod,
    integration::address::Address,
    origins::{AddressKind, Origin, Origins},
};

impl Definition {
    /// Every address that something of an account with this method may be sent to: credentials, codes, verifiers, tokens and
    /// the client's secret. An account is bound to them, resolved with its context.
    pub fn addresses(&self, method: AuthenticationMethod, context: &Map<String, Value>) -> Origins {
        self.addresses_by(method, |url| url.origin(context))
    }

    /// The same as all accounts share them: with placeholders where accounts differ. A client's secret is bound to them.
    pub fn unresolved_addresses(&self, method: AuthenticationMethod) -> Origins {
        self.addresses_by(method, Address::unresolved_origin)
    }

    fn addresses_by(&self, method: AuthenticationMethod, origin: impl Fn(&Address) -> Origin) -> Origins {
        let of = |kind, url: &Address| (kind, origin(url));
        let mut addresses: Vec<_> = self.base_url().into_iter().map(|url| of(AddressKind::Api, url)).collect();
        let of_steps = self.config.actions.requests().map(|(_, _, method)| method);
        let methods = self.config.resources.methods().map(|(_, _, method)| method).chain(of_steps);
        let own = methods.filter_map(|method| method.base_url.as_ref());
        addresses.extend(Origin::several(own.map(&origin)).map(|several| (AddressKind::Methods, several)));
        match method {
            AuthenticationMethod::Oauth2 => addresses.extend(self.oauth2().into_iter().flat_map(|oauth2| {
                let revocation = oauth2.revocation_url.as_ref().map(|url| of(AddressKind::Revocation, url));
                [
                    of(AddressKind::Authorization, &oauth2.authorize_url),
                    of(AddressKind::Token, &oauth2.token_url),
                    of(AddressKind::Refresh, &oauth2.refresh_url),
                ]
                .into_iter()
                .chain(revocation)
            })),
            AuthenticationMethod::Oauth2ClientCredentials => {
                addresses.extend(self.client_credentials().map(|own| of(AddressKind::Token, &own.token_url)));
            }
            AuthenticationMethod::ApiKey => {}
        }
        addresses.into_iter().collect()
    }
}
