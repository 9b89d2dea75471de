//! Reauthorizing from the window in two clicks.

use std::{sync::atomic::Ordering, time::Duration};

use relink_contract::window::SignInProgress;
use relink_domain::AccountId;
use url::Url;

use crate::world::{World, next};

impl World {
    /// What the window shows of the sign-in, as soon as this holds of it.
    async fn sign_in_is(&self, id: AccountId, expected: impl Fn(&SignInProgress) -> bool) -> SignInProgress {
        let mut changes = self.app.changes();
        loop {
            match self.app.sign_in(id).await.expect("readable") {
                Some(progress) if expected(&progress) => return progress,
                _ => drop(next(&mut changes).await),
            }
        }
    }

    fn opened(&self) -> Url {
        self.desktop.opened_in_browser.lock().expect("not poisoned").clone().expect("a page was opened")
    }
}

#[tokio::test]
async fn one_click_opens_the_providers_page_and_the_window_follows_the_sign_in() {
    let world = World::new().await;
    let id = world.connect_with_oauth("ada").await;
    world.break_sign_in(id).await;
    assert_eq!(world.app.begin_sign_in(id).await.expect("begun"), SignInProgress::AtProvider);
    let page = world.opened();
    assert!(page.path().contains("authorize"), "the provider's page, not the connect UI: {page}");

    world.sign_in_at_sandbox(&page, "ada").await;
    let ended = world.sign_in_is(id, SignInProgress::has_ended).await;
    assert_eq!(ended, SignInProgress::Reauthorized);
    assert_eq!(world.app.account(id).await.expect("the account").verdict, None);
    world.app.cancel_sign_in(id).await.expect("dismissed");
    assert_eq!(world.app.sign_in(id).await.expect("readable"), None);
    while world.desktop.brought_to_front.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_page_can_be_opened_again_and_a_cancelled_sign_in_changes_nothing() {
    let world = World::new().await;
    let id = world.connect_with_oauth("ada").await;
    world.break_sign_in(id).await;
    world.app.begin_sign_in(id).await.expect("begun");
    let page = world.opened();
    *world.desktop.opened_in_browser.lock().expect("not poisoned") = None;
    world.app.open_sign_in_page(id).await.expect("opened");
    assert_eq!(world.opened(), page);

    world.app.cancel_sign_in(id).await.expect("cancelled");
    assert_eq!(world.app.sign_in(id).await.expect("readable"), None);
    let callback = world.sandbox_callback(&page, "ada").await;
    world.app.callback(&callback).await.expect_err("the sign-in is over");
    assert!(world.app.account(id).await.expect("the account").verdict.is_some());
    world.app.open_sign_in_page(id).await.expect("nothing is opened");
}

#[tokio::test]
async fn a_refused_sign_in_is_explained_and_can_be_tried_again() {
    let world = World::new().await;
    let id = world.connect_with_oauth("ada").await;
    world.break_sign_in(id).await;
    world.app.begin_sign_in(id).await.expect("begun");
    let first = world.opened();
    let (_, state) = first.query_pairs().find(|(name, _)| name == "state").expect("a state");
    let issuer = first.origin().ascii_serialization();
    let denied = format!("app.relink.desktop:/oauth/callback/sandbox?error=access_denied&state={state}&iss={issuer}");
    world.app.callback(&denied).await.expect("accepted");
    let SignInProgress::Failed { error } = world.sign_in_is(id, SignInProgress::has_ended).await else {
        panic!("it failed")
    };
    assert_eq!(error.code, "access_denied");
    assert!(!error.message.is_empty() && error.hint.is_some(), "{error:?}");

    assert_eq!(world.app.begin_sign_in(id).await.expect("begun again"), SignInProgress::AtProvider);
    assert_ne!(world.opened(), first, "each sign-in has a state of its own");
}

#[tokio::test]
async fn for_an_api_key_one_click_opens_the_form() {
    let world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    assert_eq!(world.app.begin_sign_in(id).await.expect("begun"), SignInProgress::InConnectWindow);
    let opened = world.desktop.connect_window.lock().expect("not poisoned").clone().expect("the window is open");
    assert!(opened.path().starts_with("/connect-account/open/"), "{opened}");
    assert!(world.desktop.opened_in_browser.lock().expect("not poisoned").is_none());
}
