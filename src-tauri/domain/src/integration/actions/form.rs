//! `RapidForm`: what a person chooses after a sign-in (contract section 2.2).

use std::sync::Arc;

use serde_json::Value;

use super::{CallApi, NamedCall, decode::APIS};
use crate::{
    integration::{
        credential_keys::is_always_credential,
        error::DefinitionError,
        identity::JsonPath,
        node::Node,
        read::Step,
        resources::{Decoder, Resources},
    },
    template::Template,
};

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub fields: Vec<FormField>,
    /// JSONata over the whole form: nothing, or `[{"field", "message"}]`.
    pub validation: Option<Arc<str>>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// The key of the context under which its value is stored.
    pub name: String,
    pub label: String,
    pub kind: FormFieldKind,
    pub required: bool,
    pub help_text: Option<String>,
    pub placeholder: Option<String>,
    /// The fields without whose values it is disabled.
    pub depends_on: Vec<String>,
    /// What is shown while it is disabled.
    pub disabled_text: Option<String>,
    pub options: FormOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFieldKind {
    SingleSelect,
    MultiSelect,
    Text,
    Password,
    Checkbox,
    Hidden,
}

/// What there is to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormOptions {
    None,
    Fixed(Vec<FixedOption>),
    Fetched(Box<FetchedOptions>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedOption {
    pub label: String,
    /// A text, a number or a flag.
    pub value: Value,
    pub sub_text: Option<String>,
}

/// Options that a call gives, which is followed to the end of its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOptions {
    /// Its query sees the form's values and the context.
    pub from: NamedCall,
    /// Where in each record they stand.
    pub value: JsonPath,
    pub label: JsonPath,
    pub sub_text: Option<JsonPath>,
}

const KINDS: &[(&str, FormFieldKind)] = &[
    ("single_select", FormFieldKind::SingleSelect),
    ("multi_select", FormFieldKind::MultiSelect),
    ("text", FormFieldKind::Text),
    ("password", FormFieldKind::Password),
    ("checkbox", FormFieldKind::Checkbox),
    ("hidden", FormFieldKind::Hidden),
];

impl Form {
    pub fn field(&self, name: &str) -> Option<&FormField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of its password fields, whose values are secrets.
    pub fn passwords(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|field| field.kind == FormFieldKind::Password).map(|field| field.name.as_str())
    }

    /// Whoever opens a form makes the calls of its options, so that these only read. Warns of those that can't be made. `node`: the form.
    pub(in crate::integration) fn check_options(&self, resources: &Resources, node: &Node<'_>) -> Result<()> {
        for (at, field) in self.fields.iter().enumerate() {
            let FormOptions::Fetched(options) = &field.options else { continue };
            let key = |key: &str| Step::Key(key.to_owned());
            let source = node.at(&[key("fields"), Step::Item(at), key("data_source")]);
            let Some(method) = options.from.find(resources, &source) else { continue };
            let name = &options.from.method;
            if method.is_write(name) {
                source.at(&[key("method")]).fail_if_written(format_args!(
                    "is {name:?}, which writes; options are only read, so name a method that reads, such as \"list\""
                ))?;
            }
        }
        Ok(())
    }

    pub(super) fn decode(node: &Node<'_>, decoder: &Decoder<'_>) -> Result<Self> {
        let object = node.object()?;
        object.warn_unknown_keys(&["fields", "validation"]);
        let nodes =
            object.need("fields", "[{\"name\": \"team\", \"type\": \"text\", \"label\": \"Team\"}]")?.array()?;
        let fields = nodes.iter().map(field).collect::<Result<Vec<_>>>()?;
        for (node, field) in nodes.iter().zip(&fields) {
            // It would be stored in the place of a credential, or a credential in plain text.
            if decoder.availables.iter().any(|available| available.fields.contains(&field.name.as_str())) {
                return Err(
                    node.fail(format_args!("has the name {:?} of a field that is entered to sign in", field.name))
                );
            }
            let is_other = |name: &String| fields.iter().any(|other| other.name == *name && *name != field.name);
            if let Some(missing) = field.depends_on.iter().find(|name| !is_other(name)) {
                node.fail_if_written(format_args!(
                    "depends on {missing:?}, but the form has no other field of that name"
                ))?;
            }
            if fields.iter().filter(|other| other.name == field.name).count() > 1 {
                node.fail_if_written(format_args!("has the name {:?} of another field", field.name))?;
            }
        }
        Ok(Self { fields, validation: object.map("validation", |node| node.text().map(Arc::from))? })
    }
}

fn field(node: &Node<'_>) -> Result<FormField> {
    let object = node.object()?;
    object.warn_unknown_keys(&[
        "name",
        "label",
        "type",
        "required",
        "help_text",
        "placeholder",
        "depends_on",
        "disabled_text",
        "data_source",
        "options",
    ]);
    let name_node = object.need("name", "\"workspace_id\"")?;
    let name = name_node.text()?.to_owned();
    if is_always_credential(&name) {
        name_node.fail_if_written("is the name of a credential, which is never stored in a context")?;
    }
    let depends_on =
        object.map("depends_on", |node| node.array()?.iter().map(|it| Ok(it.text()?.to_owned())).collect());
    Ok(FormField {
        label: object.text("label")?.unwrap_or_else(|| name.clone()),
        name,
        kind: object.need("type", "\"single_select\"")?.one_of(KINDS)?,
        required: object.flag("required")?,
        help_text: object.text("help_text")?,
        placeholder: object.text("placeholder")?,
        depends_on: depends_on?.unwrap_or_default(),
        disabled_text: object.text("disabled_text")?,
        options: match object.get("data_source") {
            Some(source) => FormOptions::Fetched(Box::new(fetched(
                &source,
                &object.need("options", "{\"value\": \"id\", \"label\": \"name\"}")?,
            )?)),
            None => match object.get("options") {
                Some(list) => FormOptions::Fixed(list.array()?.iter().map(fixed).collect::<Result<_>>()?),
                None => FormOptions::None,
            },
        },
    })
}

fn fixed(node: &Node<'_>) -> Result<FixedOption> {
    let object = node.object()?;
    object.warn_unknown_keys(&["label", "value", "subText"]);
    let value = object.need("value", "\"eu\"")?.scalar()?.clone();
    let named = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(FixedOption { label: object.text("label")?.unwrap_or_else(named), sub_text: object.text("subText")?, value })
}

fn fetched(source: &Node<'_>, options: &Node<'_>) -> Result<FetchedOptions> {
    let (object, paths) = (source.object()?, options.object()?);
    object.warn_unknown_keys(&["type", "resource", "method", "query"]);
    let path = |node: &Node<'_>| node.parse(JsonPath::parse);
    Ok(FetchedOptions {
        from: NamedCall {
            api: object.map("type", |node| node.one_of(APIS))?.unwrap_or(CallApi::Proxy),
            resource: object.need("resource", "\"projects\"")?.text()?.to_owned(),
            method: object.map("method", |node| node.text().map(str::to_owned))?.unwrap_or_else(|| "list".to_owned()),
            query: object.map("query", |node| node.object().map(|_| Template::compile(node.json())))?,
        },
        value: path(&paths.need("value", "\"id\"")?)?,
        label: path(&paths.need("label", "\"name\"")?)?,
        sub_text: paths.map("subText", |node| path(&node))?,
    })
}
