//! OpenAPI schemas of the types that are one string on the wire.

use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, SchemaFormat, Type},
};

/// A string of this JSON Schema format.
pub(crate) fn text(format: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom(format.to_owned()))).into()
}
