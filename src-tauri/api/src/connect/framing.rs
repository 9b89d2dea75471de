//! Who may show the connect UI in a frame: the origins that the person listed.

use axum::{http::HeaderMap, response::Response};
use url::Url;

use super::header;
use crate::{
    ApiState,
    ui::{self, Framing},
};

/// Who may frame the page that is opened with these headers (Fetch Metadata §2.1). If it is in a frame of somebody else, the page that
/// says so, which has nothing of the link.
///
/// The browser enforces the answer on all pages around the frame (CSP3 §6.4.2). The referrer only decides which page there is to show.
pub(super) fn framing(api: &ApiState, headers: &HeaderMap) -> Result<Framing, Box<Response>> {
    if !["iframe", "frame"].contains(&header(headers, "sec-fetch-dest")) {
        return Ok(Framing::Nobody);
    }
    let origins = api.link_settings.borrow().frame_origins.clone();
    let framed_by = Url::parse(header(headers, "referer")).ok().map(|url| url.origin().ascii_serialization());
    match framed_by {
        Some(origin) if origins.contains(&origin) => Ok(Framing::By(origins)),
        Some(origin) => Err(Box::new(ui::explanation_in_frame(&format!(
            "{origin} may not show Relink in a frame. To allow it, add this origin in Relink under Settings → Connection links."
        )))),
        None => Err(Box::new(ui::explanation_in_frame(
            "The page around this frame doesn’t say where it comes from (its referrer policy is no-referrer), so Relink can’t tell \
             whether it may be shown here. Change the policy, or open the link in a window of its own.",
        ))),
    }
}
