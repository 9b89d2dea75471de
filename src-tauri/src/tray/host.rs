//! Whether somebody shows tray icons: the `StatusNotifierItem` specification's watcher, with a host. At login both may come
//! after Relink, and they may go and come again.

use zbus::{
    MatchRule, Message,
    blocking::{Connection, MessageIterator, Proxy, fdo::DBusProxy},
    message::Type,
};

use crate::bus;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const PATH: &str = "/StatusNotifierWatcher";
const BUS: &str = "org.freedesktop.DBus";

/// Says whether there is a host, now and whenever that changes, from a thread of its own.
pub(crate) fn follow(says: impl Fn(bool) + Send + 'static) {
    let following = std::thread::Builder::new().name("tray-host".into()).spawn(move || {
        if let Err(error) = hear(&says) {
            tracing::info!("this desktop has no tray: {error}");
            says(false);
        }
    });
    if let Err(error) = following {
        tracing::warn!("there will be no tray: {error}");
    }
}

fn hear(says: &impl Fn(bool)) -> zbus::Result<()> {
    let bus = bus::connect()?;
    let rules = DBusProxy::new(&bus)?;
    let signals = || MatchRule::builder().msg_type(Type::Signal);
    rules.add_match_rule(signals().sender(BUS)?.member("NameOwnerChanged")?.add_arg(WATCHER)?.build())?;
    rules.add_match_rule(signals().interface(WATCHER)?.path(PATH)?.build())?;
    let messages = MessageIterator::from(&bus);
    // Asked on a connection of its own: the one that is listened to is never waited on.
    let asked = bus::connect()?;
    says(is_there(&asked));
    for message in messages {
        if changes_host(&message?) {
            says(is_there(&asked));
        }
    }
    Ok(())
}

fn changes_host(message: &Message) -> bool {
    let header = message.header();
    let says = ["NameOwnerChanged", "StatusNotifierHostRegistered", "StatusNotifierHostUnregistered"];
    header.message_type() == Type::Signal && header.member().is_some_and(|member| says.contains(&member.as_str()))
}

fn is_there(bus: &Connection) -> bool {
    let asked = Proxy::new(bus, WATCHER, PATH, WATCHER)
        .and_then(|watcher| watcher.get_property::<bool>("IsStatusNotifierHostRegistered"));
    asked.unwrap_or(false)
}
