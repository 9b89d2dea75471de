//! What a call is made to, while its caller may leave.

use relink_calls::MethodTarget;
use relink_domain::integration::resources::Verb;

/// A target that outlives its request.
pub(crate) enum OwnedTarget {
    Named { resource: String, method: String, id: Option<String> },
    Step { action: String, step: usize },
    Custom { verb: Verb, path: String },
}

impl From<MethodTarget<'_>> for OwnedTarget {
    fn from(target: MethodTarget<'_>) -> Self {
        match target {
            MethodTarget::Named { resource, method, id } => {
                Self::Named { resource: resource.to_owned(), method: method.to_owned(), id: id.map(str::to_owned) }
            }
            MethodTarget::Step { action, step } => Self::Step { action: action.to_owned(), step },
            MethodTarget::Custom { verb, path } => Self::Custom { verb, path: path.to_owned() },
        }
    }
}

impl OwnedTarget {
    pub(crate) fn as_target(&self) -> MethodTarget<'_> {
        match self {
            Self::Named { resource, method, id } => MethodTarget::Named { resource, method, id: id.as_deref() },
            Self::Step { action, step } => MethodTarget::Step { action, step: *step },
            Self::Custom { verb, path } => MethodTarget::Custom { verb: *verb, path },
        }
    }
}
