//! Kills during a delivery to a webhook.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use tokio::time::{sleep, timeout};

use super::{Harness, StateBefore, webhook};
use crate::{
    receiver::Delivery,
    relink::{DEADLINE, POLL_INTERVAL, Relink},
};

impl Harness {
    /// Asserts that the interrupted delivery arrives after the start under the same id, and is recorded as delivered.
    pub(super) async fn check_delivered(
        &self,
        relink: &Relink,
        state_before: &StateBefore,
        (deliveries, expected): (usize, usize),
    ) -> Result<Option<String>> {
        ensure!(deliveries == expected, "{deliveries} deliveries had arrived before the kill");
        self.receiver.wait_for_count(state_before.deliveries + expected + 1).await?;
        let seen = self.receiver.seen();
        let ids: HashSet<_> = seen[state_before.deliveries..].iter().map(Delivery::id).collect();
        ensure!(ids.len() == 1, "the deliveries of one event have different ids: {ids:?}");
        let path = format!("/relink/webhooks/{}/deliveries", webhook(relink).await?);
        let is_known = async {
            loop {
                let deliveries = relink.get(&path).await?;
                let mut ours = deliveries["result"].as_array().into_iter().flatten();
                if ours
                    .any(|it| it["state"] == "delivered" && it["event_id"].as_str().is_some_and(|id| ids.contains(id)))
                {
                    return Ok(None);
                }
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, is_known).await.context("the delivery was never recorded as delivered")?
    }
}
