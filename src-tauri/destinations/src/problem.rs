//! Why a batch can't be written, in words for people.

use std::{io, path::Path};

use http::StatusCode;
use relink_sync::DeliveryError;
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Problem {
    /// Another program is using the file. It is tried again.
    Busy,
    /// What happened, what it means, and what to do.
    Failed { status: StatusCode, code: &'static str, message: String },
}

/// How long a run waits while another program holds a file.
const BUSY_SECONDS: u64 = 10;

impl Problem {
    /// The job, or what it was given, must change.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// The system doesn't let us.
    pub fn system(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { status: StatusCode::INTERNAL_SERVER_ERROR, code, message: message.into() }
    }

    /// An error of the system at a file or folder.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::disk_full(&path)
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::system(
                "destination_read_only",
                format!(
                    "{path} can't be written ({error}). The batch isn't in it. Allow yourself to write to it and to its folder, or choose another folder, and start the run again.",
                ),
            ),
            io::ErrorKind::NotFound => Self::system(
                "destination_missing",
                format!(
                    "{path} isn't there any more, so the batch can't be written. If it is on a drive, connect the drive; else make the folder again or allow another one. Then start the run again.",
                ),
            ),
            _ => Self::system(
                "destination_failed",
                format!(
                    "{path} can't be used: {error}. The batch isn't in it. Look whether the drive has an error, then start the run again.",
                ),
            ),
        }
    }

    pub fn disk_full(path: &impl std::fmt::Display) -> Self {
        Self::Failed {
            status: StatusCode::INSUFFICIENT_STORAGE,
            code: "destination_full",
            message: format!(
                "There is no space left for {path}. The batch isn't in it; what was written before is. Free some space, then start the run again."
            ),
        }
    }

    /// In Truto's form (contract section 0.4).
    pub fn into_value(self) -> Value {
        let (status, code, message) = match self {
            Self::Busy => {
                let message = "Another program holds the file. Close it there, or wait.";
                (StatusCode::CONFLICT, "destination_busy", message.to_owned())
            }
            Self::Failed { status, code, message } => (status, code, message),
        };
        json!({"statusCode": status.as_u16(), "error": status.canonical_reason(), "message": message, "code": code})
    }
}

impl From<Problem> for DeliveryError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Busy => Self::RetryAfter { seconds: BUSY_SECONDS },
            failed @ Problem::Failed { .. } => Self::Failed(failed.into_value()),
        }
    }
}
