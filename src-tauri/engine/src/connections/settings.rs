//! Where links work: only on this machine, unless the person says otherwise.

use relink_contract::link::LinkSettings;
use relink_domain::{caller::Caller, integration::WebUrl};
use tokio::sync::watch;

use super::Connections;
use crate::{
    error::{Error, Result},
    store::{Store, settings},
};

const SETTING: &str = "link_settings";

/// The maximum number of origins that may frame the connect UI. Its headers list all of them.
const MAX_FRAME_ORIGINS: usize = 50;

pub(crate) async fn stored(store: &Store) -> Result<LinkSettings> {
    Ok(store.read(|c| settings::get(c, SETTING)).await?.unwrap_or_default())
}

impl Connections {
    pub fn link_settings(&self, _caller: &Caller) -> LinkSettings {
        self.link_settings_now()
    }

    pub(super) fn link_settings_now(&self) -> LinkSettings {
        self.0.settings.borrow().clone()
    }

    /// Follows the settings.
    pub fn link_settings_changes(&self, _caller: &Caller) -> watch::Receiver<LinkSettings> {
        self.0.settings.subscribe()
    }

    /// Replaces all settings.
    pub async fn set_link_settings(&self, caller: &Caller, wanted: LinkSettings) -> Result<LinkSettings> {
        let mut frame_origins = Vec::new();
        for text in wanted.frame_origins.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let origin = origin("frame_origins", text)?;
            if !frame_origins.contains(&origin) {
                frame_origins.push(origin);
            }
        }
        if frame_origins.len() > MAX_FRAME_ORIGINS {
            let message = format!("At most {MAX_FRAME_ORIGINS} origins can be listed.");
            return Err(Error::invalid_field("frame_origins_too_many", "frame_origins", message));
        }
        let public_address = wanted.public_address.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let public_address = public_address.map(public_address_from).transpose()?;
        let settings = LinkSettings { also_listen: wanted.also_listen, frame_origins, public_address };
        let (connections, stored, announced) = (self.clone(), settings.clone(), settings.clone());
        let write = move |tx: &rusqlite::Transaction<'_>| settings::set(tx, SETTING, &stored);
        // In the order of the writes, whoever changes them at the same time.
        let then = move |&(): &()| drop(connections.0.settings.send_replace(announced));
        self.0.uses.store.write_then(write, then).await?;
        tracing::info!(?caller, ?settings, "link settings changed");
        Ok(settings)
    }
}

/// An origin (RFC 6454 §6.1), as browsers name it: https, or http on this machine.
fn origin(field: &'static str, text: &str) -> Result<String> {
    let url = WebUrl::parse(text).map_err(|error| Error::invalid_field("origin_unfit", field, error.to_string()))?;
    if !url.is_bare_origin() {
        let message =
            format!("{text:?} has something after the host. Write the origin alone, like https://app.example.com.");
        return Err(Error::invalid_field("origin_unfit", field, message));
    }
    let origin = url.as_url().origin().ascii_serialization();
    // Browsers read a wildcard and a separator in the policy that lists the origins (CSP3 §2.3.1).
    if !origin.chars().all(|c| c.is_ascii_alphanumeric() || "-.:/[]".contains(c)) {
        let message = format!("{text:?} must name one host, without wildcards.");
        return Err(Error::invalid_field("origin_unfit", field, message));
    }
    Ok(origin)
}

/// An https origin that isn't this machine's own: it is recognized by the `Host` of requests.
fn public_address_from(text: &str) -> Result<String> {
    const FIELD: &str = "public_address";
    let unfit = || {
        let message = "The public address must be the https:// address of your tunnel or reverse proxy, like https://relink.example.com.";
        Error::invalid_field("public_address_unfit", FIELD, message.to_owned())
    };
    // Before the origin is looked at: what that says of http is about other addresses.
    if !url::Url::parse(text).is_ok_and(|url| url.scheme() == "https") {
        return Err(unfit());
    }
    let address = origin(FIELD, text)?;
    let is_of_this_machine = WebUrl::parse(&address).is_ok_and(|url| url.is_loopback());
    if is_of_this_machine { Err(unfit()) } else { Ok(address) }
}
