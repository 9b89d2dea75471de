//! The type of secrets on the wire.

use relink_domain::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// A secret that crosses the wire on purpose: entered by a user, or returned once by the response that created it.
///
/// [`Secret`] has no `Serialize`, so a type that sends a secret has to use this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireSecret(Secret);

impl WireSecret {
    pub fn into_secret(self) -> Secret {
        self.0
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<Secret> for WireSecret {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl Serialize for WireSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for WireSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl PartialSchema for WireSecret {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}

impl ToSchema for WireSecret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_secret_is_serialized_but_not_printed() {
        let secret: WireSecret = serde_json::from_str("\"hunter2\"").expect("read");
        assert_eq!(serde_json::to_string(&secret).expect("written"), "\"hunter2\"");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
