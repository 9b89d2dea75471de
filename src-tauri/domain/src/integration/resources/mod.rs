//! What a definition says of calls to its provider's resources (contract section 4.6): `resources.{resource}.{method}`, compiled
//! once with the definition.
//!
//! It is part of `integration`, because both decode the same document with the same reader: as a module beside it, each would
//! import the other.

mod decode;
mod documentation;
mod headers;
mod method;
mod pagination;
mod rate_limit;
mod response_path;
mod schema;

#[cfg(test)]
mod method_tests;
#[cfg(test)]
mod pagination_tests;

use std::collections::BTreeMap;

pub(super) use self::decode::{Decoder, Shared};
pub use self::{
    documentation::check_documentation,
    method::{
        ApiResponseFormat, ArrayFormat, BodyEncoding, FormOptions, Method, MethodAuthorization, MethodBody, MethodDocs,
        Verb,
    },
    pagination::{
        CursorPagination, CursorPath, CursorSource, DynamicPagination, LimitType, OffsetPagination, PagePagination,
        PageSize, Pagination, RangePagination,
    },
    rate_limit::RateLimit,
    response_path::{NeedsEvaluation, ResponsePath},
    schema::Schema,
};

/// The resources of a definition, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<String, Resource>);

/// A kind of record at the provider, such as its contacts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    methods: BTreeMap<String, Method>,
    /// Words by which an agent's tools are chosen, for all of its methods.
    pub tool_tags: Vec<String>,
}

impl Resources {
    pub fn get(&self, name: &str) -> Option<&Resource> {
        self.0.get(name)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Resource)> {
        self.0.iter().map(|(name, resource)| (name.as_str(), resource))
    }

    /// Every method of every resource.
    pub(super) fn methods(&self) -> impl Iterator<Item = (&str, &str, &Method)> {
        self.iter().flat_map(|(resource, it)| it.iter().map(move |(name, method)| (resource, name, method)))
    }
}

impl Resource {
    pub fn get(&self, method: &str) -> Option<&Method> {
        self.methods.get(method)
    }

    /// Its methods, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Method)> {
        self.methods.iter().map(|(name, method)| (name.as_str(), method))
    }
}
