//! Whether the desktop shows tray icons: whether the watcher of the `StatusNotifierItem` specification has a host. At login
//! both may start after Relink, and they may go and come back.

use zbus::{
    MatchRule, Message,
    blocking::{Connection, MessageIterator, Proxy, fdo::DBusProxy},
    message::Type,
};

use crate::bus;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const PATH: &str = "/StatusNotifierWatcher";
const BUS: &str = "org.freedesktop.DBus";

/// Reports from a separate thread whether there is a host, now and whenever that changes.
pub(crate) fn follow(report: impl Fn(bool) + Send + 'static) {
    let spawned = std::thread::Builder::new().name("tray-host".into()).spawn(move || {
        if let Err(error) = listen(&report) {
            tracing::info!("this desktop has no tray: {error}");
            report(false);
        }
    });
    if let Err(error) = spawned {
        tracing::warn!("there will be no tray: {error}");
    }
}

fn listen(report: &impl Fn(bool)) -> zbus::Result<()> {
    let signals = bus::connect()?;
    let rules = DBusProxy::new(&signals)?;
    let rule = || MatchRule::builder().msg_type(Type::Signal);
    rules.add_match_rule(rule().sender(BUS)?.member("NameOwnerChanged")?.add_arg(WATCHER)?.build())?;
    rules.add_match_rule(rule().interface(WATCHER)?.path(PATH)?.build())?;
    let messages = MessageIterator::from(&signals);
    // Calls use a separate connection, so that waiting for a reply never delays signals.
    let calls = bus::connect()?;
    report(has_host(&calls));
    for message in messages {
        if may_change_host(&message?) {
            report(has_host(&calls));
        }
    }
    Ok(())
}

fn may_change_host(message: &Message) -> bool {
    let header = message.header();
    let members = ["NameOwnerChanged", "StatusNotifierHostRegistered", "StatusNotifierHostUnregistered"];
    header.message_type() == Type::Signal && header.member().is_some_and(|member| members.contains(&member.as_str()))
}

fn has_host(bus: &Connection) -> bool {
    let registered = Proxy::new(bus, WATCHER, PATH, WATCHER)
        .and_then(|watcher| watcher.get_property::<bool>("IsStatusNotifierHostRegistered"));
    registered.unwrap_or(false)
}
