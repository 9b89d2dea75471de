use std::time::Duration;

use relink_app::notifications::Request;
use relink_contract::window::{Change, NewWebhook, PreferenceUpdate, Preferences};
use relink_domain::{notice::Opens, webhook::SignatureFormat};

use crate::world::{World, next};

#[tokio::test]
async fn an_account_that_needs_attention_is_notified_once_and_counted() {
    let mut world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    let notice = world.next_notification(Ok(())).await;
    assert!(notice.title.contains("Sandbox"), "{notice:?}");
    let in_need = world.in_need.wait_for(|in_need| !in_need.is_empty()).await.expect("the app runs").clone();
    assert_eq!((in_need[0].id, in_need[0].reauthorize), (id, true));
    assert_eq!(world.app.overview().await.expect("an overview").needs_attention, 1);

    world.app.check(id).await.expect("checked");
    // Subscribed before the rename, so that its change can't be missed.
    let mut changes = world.app.changes();
    world.app.rename(id, "Renamed".to_owned()).await.expect("renamed");
    next(&mut changes).await;
    assert!(world.requests.try_recv().is_err(), "a second failure is not notified again");
}

#[tokio::test]
async fn a_notification_is_withdrawn_and_recorded_when_its_account_is_deleted() {
    let mut world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    let notice = world.next_notification(Ok(())).await;
    world.app.delete_account(id).await.expect("deleted");
    match world.requests.recv().await.expect("a request") {
        Request::Withdraw(withdrawn) => assert_eq!(withdrawn, notice.id),
        Request::Show { notice, .. } => panic!("shown: {notice:?}"),
    }
    world.in_need.wait_for(Vec::is_empty).await.expect("the app runs");
    let mut changes = world.app.changes();
    loop {
        let notices = world.app.notices().await.expect("notices");
        if notices[0].resolved == 1 {
            assert_eq!((notices.len(), notices[0].subjects, notices[0].delivered), (1, 1, true));
            break;
        }
        next(&mut changes).await;
    }
}

#[tokio::test]
async fn a_notification_that_the_desktop_refuses_is_recorded_and_reported() {
    let mut world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    let mut changes = world.app.changes();
    world.next_notification(Err("there is no daemon".to_owned())).await;
    loop {
        let notices = world.app.notices().await.expect("notices");
        if let Some(first) = notices.first() {
            assert!(!first.delivered);
            break;
        }
        next(&mut changes).await;
    }
    let overview = world.app.overview().await.expect("an overview");
    assert_eq!(overview.notifications_trouble.as_deref(), Some("there is no daemon"));
}

#[tokio::test]
async fn a_notification_that_was_visible_at_exit_is_shown_again_after_a_restart_and_listed_once() {
    let mut world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    let before = world.next_notification(Ok(())).await;
    let mut changes = world.app.changes();
    while world.app.notices().await.expect("notices").is_empty() {
        next(&mut changes).await;
    }
    let listed = world.app.notices().await.expect("notices");
    let mut world = world;
    for _ in 0..2 {
        world = world.restarted_after(|_| ()).await;
        let mut changes = world.app.changes();
        let again = world.next_notification(Ok(())).await;
        assert_eq!((&again.title, &again.about), (&before.title, &before.about));
        // The list is written after the answer.
        while next(&mut changes).await != Change::Notices {}
        assert_eq!(world.app.notices().await.expect("notices"), listed, "the same episode is listed once");
        assert_eq!((listed.len(), listed[0].resolved), (1, 0), "its account is still broken");
    }
}

#[tokio::test]
async fn a_notification_that_is_gone_is_not_resolved_while_its_account_is_broken() {
    let mut world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    world.next_notification(Ok(())).await;
    world.app.remind_later(id).await.expect("accepted");
    match world.requests.recv().await.expect("a request") {
        Request::Withdraw(_) => {}
        Request::Show { notice, .. } => panic!("shown: {notice:?}"),
    }
    let notices = world.app.notices().await.expect("notices");
    assert_eq!((notices.len(), notices[0].subjects, notices[0].resolved), (1, 1, 0));
}

#[tokio::test]
async fn a_hanging_desktop_delays_neither_the_tray_nor_reminders() {
    let mut world = World::new().await;
    let (first, second) = (world.connect().await, world.connect().await);
    world.break_account(first).await;
    let Request::Show { accepted: _never_answered, .. } = world.requests.recv().await.expect("a request") else {
        panic!("a notification is withdrawn")
    };
    // Shorter than any timeout of a desktop service.
    let soon = Duration::from_secs(5);
    let informed = async {
        world.app.check(second).await.expect("checked");
        world.in_need.wait_for(|in_need| in_need.len() == 2).await.expect("the app runs");
        let mut changes = world.app.changes();
        world.app.remind_later(first).await.expect("accepted");
        while world.app.account(first).await.expect("the account").remind_at.is_none() {
            next(&mut changes).await;
        }
    };
    tokio::time::timeout(soon, informed).await.expect("the policy doesn't wait for the desktop");
}

#[tokio::test]
async fn a_pause_holds_notifications_back_until_it_ends() {
    let mut world = World::new().await;
    let id = world.connect().await;
    let paused = Preferences { notifications_paused: true, ..Preferences::default() };
    world.app.set_preferences(PreferenceUpdate::from(paused)).await.expect("stored");
    world.break_account(id).await;
    world.in_need.wait_for(|in_need| in_need.len() == 1).await.expect("the tray still shows it");
    assert!(world.requests.try_recv().is_err(), "paused");
    world.app.set_preferences(PreferenceUpdate::from(Preferences::default())).await.expect("stored");
    assert!(world.next_notification(Ok(())).await.title.contains("Sandbox"));
}

#[tokio::test]
async fn remind_me_later_is_stored_and_shown_on_the_account() {
    let mut world = World::new().await;
    let id = world.connect().await;
    world.break_account(id).await;
    world.next_notification(Ok(())).await;
    let mut changes = world.app.changes();
    world.app.remind_later(id).await.expect("accepted");
    while world.app.account(id).await.expect("the account").remind_at.is_none() {
        next(&mut changes).await;
    }
}

#[tokio::test]
async fn a_webhook_that_is_disabled_is_notified_and_the_notification_ends_when_it_is_resumed() {
    let world = World::new().await;
    let new = NewWebhook {
        target_url: "http://127.0.0.1:9/hook".to_owned(),
        event_types: None,
        signature_format: SignatureFormat::Base64,
        allow_private: false,
    };
    let id = world.app.add_webhook(new).await.expect("added").id;
    let mut world = world
        .restarted_after(|folder| {
            let database = rusqlite::Connection::open(folder.join("relink.db")).expect("opens");
            let disabled = "UPDATE webhook SET is_active = 0, failing_since = 1, disabled_at = 2";
            database.execute(disabled, []).expect("disabled");
        })
        .await;
    let mut changes = world.app.changes();
    let notice = world.next_notification(Ok(())).await;
    assert_eq!((notice.title.as_str(), notice.opens), ("Relink disabled a webhook: 127.0.0.1", Opens::Webhooks));
    let webhook = world.app.webhooks().await.expect("a list").remove(0);
    assert!(!webhook.is_active && webhook.disabled_at.is_some() && webhook.failing_since.is_some(), "{webhook:?}");

    world.app.set_webhook_active(id, true).await.expect("resumed");
    match world.requests.recv().await.expect("a request") {
        Request::Withdraw(withdrawn) => assert_eq!(withdrawn, notice.id),
        Request::Show { notice, .. } => panic!("shown: {notice:?}"),
    }
    loop {
        let notices = world.app.notices().await.expect("notices");
        if notices.iter().any(|listed| listed.resolved == 1) {
            assert_eq!((notices.len(), notices[0].about_webhooks, notices[0].subjects), (1, true, 1));
            break;
        }
        next(&mut changes).await;
    }
}
