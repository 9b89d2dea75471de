//! The links that were created: who created them, and whether they can still be used.

use relink_contract::{
    connect::{self, Requester},
    link::{IssuedLink, IssuedLinkStatus},
};
use relink_domain::{
    LinkTokenId, Timestamp,
    caller::Caller,
    link::{LinkError, LinkPurpose, LinkToken},
};

use super::Connections;
use crate::{
    error::{Error, Result},
    store::{
        accounts,
        links::{self, Creator},
    },
};

impl Connections {
    /// The links of the last weeks, the newest first.
    pub async fn issued_links(&self, _caller: &Caller) -> Result<Vec<IssuedLink>> {
        let now = self.now();
        let read = move |connection: &rusqlite::Connection| {
            let mut all = Vec::new();
            for (link, creator) in links::all(connection)? {
                let account = link.purpose.account().map(|id| accounts::name_of(connection, id)).transpose()?.flatten();
                all.push(issued(&link, creator, account.map(|(name, _)| name), now));
            }
            Ok(all)
        };
        Ok(self.0.uses.store.read(read).await?)
    }

    /// Revokes a link. A sign-in that it began can no longer be completed.
    pub async fn revoke_link(&self, caller: &Caller, id: LinkTokenId) -> Result<()> {
        let now = self.now();
        if !self.0.uses.store.write(move |tx| links::revoke(tx, id, now)).await? {
            return Err(Error::not_found("link", &id));
        }
        tracing::info!(link = %id, ?caller, "link revoked");
        Ok(())
    }

    /// Who asks for what a link is for.
    pub(super) async fn requester(&self, link: &LinkToken) -> Result<Requester> {
        let id = link.id;
        let creator = self.0.uses.store.read(move |c| links::creator_of(c, id)).await?;
        let team = self.0.uses.organization.team(&Caller::Internal).await?.name;
        Ok(Requester { team, program: creator.and_then(program) })
    }
}

fn program(creator: Creator) -> Option<String> {
    match creator {
        Creator::Person => None,
        Creator::Program(name) => Some(name.unwrap_or_else(|| "a revoked API token".to_owned())),
    }
}

fn issued(link: &LinkToken, creator: Creator, account_name: Option<String>, now: Timestamp) -> IssuedLink {
    let (purpose, tenant_id) = match &link.purpose {
        LinkPurpose::Connect { tenant_id } => (connect::LinkPurpose::Connect, Some(tenant_id.clone())),
        LinkPurpose::Reauthorize { .. } => (connect::LinkPurpose::Reauthorize, None),
        LinkPurpose::PostConnectForm { .. } => (connect::LinkPurpose::PostConnectForm, None),
    };
    IssuedLink {
        id: link.id,
        status: match link.usable(now) {
            Ok(()) => IssuedLinkStatus::Usable,
            Err(LinkError::Used) => IssuedLinkStatus::Used,
            Err(LinkError::Revoked) => IssuedLinkStatus::Revoked,
            Err(LinkError::TokenEnded) => IssuedLinkStatus::Ended,
            Err(LinkError::Expired | LinkError::Unknown | LinkError::AccountDeleted) => IssuedLinkStatus::Expired,
        },
        purpose,
        tenant_id,
        integrated_account_id: link.purpose.account(),
        account_name,
        program: program(creator),
        created_at: link.created_at,
        expires_at: link.expires_at(),
    }
}
