//! Desktop notifications: carries the policy's orders out, and hears what the person does with them.
//!
//! Everything that speaks to the desktop's service is on threads of its own, and has a deadline: a service that hangs holds
//! nobody up.

mod popup;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::sync_channel,
    },
    thread,
    time::Duration,
};

use notify_rust::{Notification, NotificationHandle};
use relink_app::{SignInOutcome, SignInRoute, attention::Order, types::Show};
use relink_domain::{
    AccountId,
    notice::{Button, DesktopSignal, Notice, NoticeId, Opens},
};
use tauri::{AppHandle, Manager, async_runtime};
use tokio::sync::mpsc;
use url::Url;

use crate::{logic, windows};
use popup::Did;

/// How long the desktop may take to put one up. The policy waits a little longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Threads that may wait for a service that doesn't answer; it gets no more of them.
const MOST_HANGING: usize = 4;
const SILENT: &str = "The desktop’s notification service isn’t responding.";

/// The notifications that should be up, and under which number the desktop knows each, as soon as it has said so.
#[derive(Debug, Clone, Default)]
struct Up(Arc<Mutex<BTreeMap<NoticeId, Option<u32>>>>);

impl Up {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NoticeId, Option<u32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It came up under this number. Whether it still should be.
    fn came(&self, id: NoticeId, number: Option<u32>) -> bool {
        self.lock().get_mut(&id).map(|known| *known = number).is_some()
    }

    fn goes(&self, id: NoticeId) {
        let known = self.lock().remove(&id).flatten();
        if let Some(number) = known {
            popup::take_down(&[number]);
        }
    }
}

/// Carries orders out, one after the other.
pub(crate) fn start(app: &AppHandle, mut orders: mpsc::Receiver<Order>) {
    let up = Up::default();
    app.manage(up.clone());
    let app = app.clone();
    let spawned = thread::Builder::new().name("notifications".into()).spawn(move || {
        popup::introduce();
        // Said before it is needed, so that nobody relies on what isn't there.
        let trouble = popup::is_there().err();
        logic(&app).desktop_is(|desktop| desktop.notifications_trouble = trouble);
        while let Some(order) = orders.blocking_recv() {
            match order {
                Order::Show { notice, replaces, alert, taken } => {
                    let shown = show(&app, &up, notice, replaces, alert);
                    // Whoever asked may have stopped waiting; the notification is up all the same.
                    let _ = taken.send(shown);
                }
                Order::Withdraw(id) => up.goes(id),
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!("notifications can't be shown: {error}");
    }
}

/// Takes down what is up: its buttons would do nothing after the program's end. The policy isn't told, so that it puts it up
/// anew when Relink runs again.
pub(crate) fn stop(app: &AppHandle) {
    let Some(up) = app.try_state::<Up>() else { return };
    let numbers: Vec<u32> = std::mem::take(&mut *up.lock()).into_values().flatten().collect();
    if !numbers.is_empty() {
        popup::take_down(&numbers);
    }
}

fn show(app: &AppHandle, up: &Up, notice: Notice, replaces: Option<NoticeId>, alert: bool) -> Result<(), String> {
    let number = {
        let mut held = up.lock();
        let before = replaces.and_then(|id| held.remove(&id)).flatten();
        held.insert(notice.id, None);
        before
    };
    let (app, up) = (app.clone(), up.clone());
    put_up(popup::of(&notice, number, alert), move |handle| {
        let number = popup::number(&handle);
        if !up.came(notice.id, number) {
            // It was withdrawn while the service thought about it.
            return popup::take_down(number.as_slice());
        }
        popup::wait(handle, |did| {
            // Its place may have been taken by another one under the same number: that one's thread hears it too.
            if up.lock().remove(&notice.id).is_none() {
                return;
            }
            if did != Did::Nothing {
                // Most services take it down by themselves then, some don't.
                popup::take_down(number.as_slice());
            }
            received(&app, &notice, did);
        });
    })
}

/// Puts one up on a thread of its own, which then has its handle. Whether it came up, in time.
fn put_up(shown: Notification, then: impl FnOnce(NotificationHandle) + Send + 'static) -> Result<(), String> {
    static HANGING: AtomicUsize = AtomicUsize::new(0);
    if HANGING.load(Ordering::SeqCst) >= MOST_HANGING {
        return Err(SILENT.to_owned());
    }
    let (done, ends) = sync_channel(1);
    let spawned = thread::Builder::new().name("notification".into()).spawn(move || {
        HANGING.fetch_add(1, Ordering::SeqCst);
        let came = shown.show();
        HANGING.fetch_sub(1, Ordering::SeqCst);
        // Whoever asked may have stopped waiting.
        let _ = match came {
            Ok(handle) => {
                let told = done.send(Ok(()));
                then(handle);
                told
            }
            Err(error) => done.send(Err(format!("This desktop can’t show notifications ({error})."))),
        };
    });
    spawned.map_err(|error| format!("Notifications can’t be shown ({error})."))?;
    ends.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(SILENT.to_owned()))
}

fn received(app: &AppHandle, notice: &Notice, did: Did) {
    let logic = logic(app);
    match did {
        Did::Reauthorize => {
            for button in &notice.buttons {
                if let Button::Reauthorize(id) = button {
                    reauthorize(app, *id);
                }
            }
        }
        Did::Later => {
            let received = DesktopSignal::RemindLater { about: notice.about.clone(), until: logic.tomorrow() };
            async_runtime::block_on(logic.hear(received));
        }
        Did::Open => windows::show_main_at(
            app,
            match notice.opens {
                Opens::Account(id) => Show::Account(id),
                Opens::Accounts => Show::Accounts,
            },
        ),
        Did::Nothing => {}
    }
    async_runtime::block_on(logic.hear(DesktopSignal::Closed(notice.id)));
}

/// One click: straight to the provider's page. When the sign-in has ended otherwise than well, the account's page says why.
pub(crate) fn reauthorize(app: &AppHandle, id: AccountId) {
    let app = app.clone();
    async_runtime::spawn(async move {
        if !is_mended(&app, id).await {
            windows::show_main_at(&app, Show::Account(id));
        }
    });
}

/// Walks the sign-in. Whether nothing is left for the person to see on the account's page.
async fn is_mended(app: &AppHandle, id: AccountId) -> bool {
    let logic = logic(app);
    match logic.reauthorize(id).await {
        Ok(SignInRoute::Provider(url, sign_in)) => {
            let Ok(url) = Url::parse(&url) else { return false };
            if windows::open_in_browser(app, &url).await.is_err() {
                return false;
            }
            let mended = logic.finish(sign_in).await == SignInOutcome::Reauthorized;
            if mended {
                say_it_works(app, id).await;
            }
            mended
        }
        Ok(SignInRoute::Page(link)) => match Url::parse(link.expose()).map(|link| windows::open_connect(app, &link)) {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!("the connect page could not be opened: {error}");
                false
            }
            Err(_) => false,
        },
        Err(trouble) => {
            tracing::warn!(code = trouble.code, "the sign-in could not be begun: {}", trouble.message);
            false
        }
    }
}

/// No window of Relink's was part of it: the person is told where they are, which is in their browser.
async fn say_it_works(app: &AppHandle, id: AccountId) {
    let logic = logic(app);
    if logic.preferences().notifications_paused {
        return;
    }
    if let Ok(account) = logic.account(id).await {
        let body = format!("{} is connected again. You can close the browser tab.", account.name);
        // Without notifications the tray and the window say it.
        let _ = say(app, "Connection successful", &body).await;
    }
}

/// Shows a notification that nothing hangs on, or says why not.
pub(crate) async fn say(app: &AppHandle, title: &str, body: &str) -> Result<(), String> {
    let shown = popup::plain(title, body);
    // What it is shown by is let go: nobody waits for what the person does with it.
    let shown = async_runtime::spawn_blocking(move || put_up(shown, drop)).await;
    let shown = shown.unwrap_or_else(|error| Err(error.to_string()));
    if let Err(why) = &shown {
        tracing::info!("not shown: {why}");
    }
    logic(app).desktop_is(|desktop| desktop.notifications_trouble = shown.clone().err());
    shown
}

/// Shows one, to see whether this desktop does.
pub(crate) async fn test(app: &AppHandle) -> Result<(), String> {
    say(app, "Notifications work", "Relink notifies you like this when an account needs attention.").await
}
