//! The window's protocol in TypeScript (`ui/host/types.ts`).

use std::collections::BTreeMap;

use relink_domain::{
    AccountId, ApiTokenId, DeliveryId, LinkTokenId, McpTokenId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId,
    Timestamp, WebhookId, webhook::SignatureFormat,
};
use ts_rs::{Config, TS, TypeVisitor};

#[allow(clippy::wildcard_imports, reason = "the commands may name any of the window's types")]
use super::*;

const HEADER: &str =
    "// Generated from src-tauri/contract/src/window by `make types`; don't edit. A test proves that it is current.\n";

/// The content of `ui/host/types.ts`: the commands, and the types of their arguments, outputs and events.
pub fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    let mut declarations = Declarations { config: &config, found: BTreeMap::new() };
    declarations.visit::<ErrorView>();
    declarations.visit::<Change>();
    declarations.visit::<Destination>();
    let mut commands = String::new();

    macro_rules! declare {
        ($( $(#[doc = $doc:literal])* fn $name:ident($($argument:ident: $type:ty),*) -> $output:ty; )*) => {$(
            let docs: &[&str] = &[$($doc),*];
            $( declarations.visit::<$type>(); )*
            declarations.visit::<$output>();
            let arguments: &[(&str, String)] = &[$( (stringify!($argument), <$type as TS>::name(&config)) ),*];
            commands += &command(docs, stringify!($name), arguments, &<$output as TS>::name(&config));
        )*};
    }
    crate::window_commands!(declare);

    let mut text = HEADER.to_owned();
    text += "\n/** The window's commands: `name: [arguments, output]`. */\nexport type Commands = {\n";
    text += &commands;
    text += "};\n";
    let (change, destination) = (Change::name(&config), Destination::name(&config));
    let events = format!(
        "\n/** The window's events: `name: payload`. */\nexport type Events = {{\n  {CHANGED_EVENT}: {change};\n  {SHOW_EVENT}: {destination};\n}};\n",
    );
    text += &events;
    for declaration in declarations.found.values() {
        text += declaration;
    }
    text
}

fn command(docs: &[&str], name: &str, arguments: &[(&str, String)], output: &str) -> String {
    let docs = match docs {
        [] => String::new(),
        lines => format!("  /** {} */\n", lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n   * ")),
    };
    let arguments: Vec<_> = arguments.iter().map(|(name, ts)| format!("{name}: {ts}")).collect();
    let arguments = if arguments.is_empty() { "void".to_owned() } else { format!("{{ {} }}", arguments.join(", ")) };
    format!("{docs}  {name}: [arguments: {arguments}, output: {output}];\n")
}

/// Collects the declarations of types and of the types that they contain, by name.
struct Declarations<'a> {
    config: &'a Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only a derived type has a path and is declared; primitives and containers are written out where they are used.
        if T::output_path().is_some() {
            let name = T::ident(self.config);
            if self.found.contains_key(&name) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            self.found.insert(name, format!("\n{docs}export {}\n", T::decl(self.config)));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    #[test]
    fn the_windows_types_are_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/host/types.ts");
        let text = super::typescript();
        // `make types`
        if env::var_os("RELINK_WRITE_TYPES").is_some() {
            fs::write(&file, &text).expect("ui/host/types.ts can be written");
        }
        let current = fs::read_to_string(&file).expect("ui/host/types.ts exists");
        assert!(current == text, "ui/host/types.ts is out of date: run make types");
    }
}
