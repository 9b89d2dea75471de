//! The tokens of a sign-in, which were exchanged or given: checked, and saved.

use std::sync::Arc;

use relink_contract::connect::FlowOutcome;
use relink_domain::{account::AuthenticationMethod, integration::IdentitySource, provider_text::KnownSecrets};

use super::{
    Connections,
    complete::{Target, parts},
    flow::Flow,
    staged::{EnteredFields, staged_oauth},
    view::FlowFailure,
};
use crate::{
    oauth::{self, Tokens},
    provider::{CallCredentials, Found, ProbeResult},
};

impl Connections {
    /// Makes the probe call with the access token.
    pub(super) async fn probe_tokens(
        &self,
        flow: &Flow,
        target: &Target,
        tokens: &Tokens,
        entered: &EnteredFields,
        known: &KnownSecrets,
    ) -> Result<ProbeResult, FlowFailure> {
        let claims = tokens.id.as_ref().and_then(|id_token| {
            let oauth2 = flow.provider.definition.oauth2()?;
            oauth::id_token_claims(id_token, &oauth2.client_id, oauth2.issuer.as_deref())
        });
        let mut public = entered.public.clone();
        public.extend(tokens.kept.clone());
        let variables = self.0.uses.providers.variables(&flow.provider).await;
        let variables = variables.map_err(|error| FlowFailure::of_error(&error.into()))?;
        let credentials = CallCredentials {
            method: AuthenticationMethod::Oauth2,
            access_token: Some(&tokens.access),
            of_refresh: None,
            fields: &entered.secret,
            variables: &variables,
            context: &target.context(flow, &public),
            tenant_id: target.tenant_id(flow),
            known: &known.clone().and(&tokens.refresh).and(&tokens.id),
        };
        self.probe(flow, &credentials, claims.as_ref()).await
    }

    /// Saves tokens that were checked. `found`: whose they are.
    pub(super) async fn save_tokens(
        &self,
        flow: &Arc<Flow>,
        target: Target,
        tokens: Tokens,
        entered: EnteredFields,
        found: Option<Found>,
    ) -> Result<FlowOutcome, FlowFailure> {
        let provider = &flow.provider;
        let default = || provider.definition.oauth2().map(|oauth2| oauth2.scopes.clone());
        let requested = flow.options.scopes.clone().or_else(default).unwrap_or_default();
        let (identity, kept) = parts(found);
        let is_from_id_token =
            provider.definition.identity().is_some_and(|identity| identity.source == IdentitySource::IdToken);
        let gives_id_token = flow.link.is_some() && requested.iter().any(|scope| scope == "openid");
        if is_from_id_token && identity.is_none() && gives_id_token {
            return Err(target.identity_unknown(provider));
        }
        let EnteredFields { secret, mut public } = entered;
        public.extend(tokens.kept.clone());
        public.extend(kept);
        let context = target.context(flow, &public);
        let origins = provider.origins(AuthenticationMethod::Oauth2, &context);
        let has_steps = provider.definition.actions().refresh().is_some();
        let mut staged = staged_oauth(tokens, identity, requested, (context, origins), has_steps);
        staged.item.secrets.extend(secret);
        staged.granted.object_store_context_fields = flow.options.object_store_context_fields();
        target.keeps_access(provider, &staged.granted)?;
        Box::pin(self.decide(flow, target, staged)).await
    }
}
