//! What can go wrong in a use-case, by what a caller can do about it.

use super::ports::{HashError, SealError, StoreError};

/// Why a use-case did not do what was asked. The doors turn each variant into their dialect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is wrong; each error says where and what.
    #[error("{}", sentence(.0))]
    Invalid(Vec<FieldError>),
    /// There is no such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// No node of that name is known; these may be meant.
    #[error("{}", unknown(what, suggestions))]
    Unknown {
        /// What was asked for.
        what: &'static str,
        /// What may be meant, best first.
        suggestions: Vec<String>,
    },
    /// Commands that must not be sent; each error says which and why.
    #[error("{}", refusals(.0))]
    Refused(Vec<NodeError>),
    /// No valid credential.
    #[error("authentication required")]
    Unauthenticated,
    /// Known, but not allowed.
    #[error("{0}")]
    Forbidden(String),
    /// The state of things stands against it.
    #[error("{message}")]
    Conflict {
        /// Stable word for programs.
        code: &'static str,
        /// Sentence for people.
        message: String,
    },
    /// Too much at once; try again after so many seconds.
    #[error("too many requests; try again in {retry_after} s")]
    TooMany {
        /// Seconds.
        retry_after: u64,
    },
    /// Cannot be done now; nothing was changed.
    #[error("not available now: {0}")]
    Unavailable(String),
    /// There is no room for it: the disk of the database is full. Nothing was changed.
    #[error("the disk of the database is full: {0}")]
    Full(String),
    /// A bug or damage; the cause goes to the log, not to the caller.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One mistake in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer of the field, or another place in words.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

/// What stands against one command of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeError {
    /// Where the command stands.
    pub pointer: String,
    /// Stable word for programs.
    pub kind: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Error {
    /// One wrong field.
    pub fn invalid(pointer: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.to_owned(), message: message.into() }])
    }

    /// A conflict with its code.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Unavailable("it changed meanwhile, too often".to_owned()),
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            error @ StoreError::InDoubt(_) => Self::Unavailable(error.to_string()),
            StoreError::Full(cause) => Self::Full(cause),
            error @ StoreError::Internal(_) => Self::Internal(Box::new(error)),
        }
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Internal(Box::new(error))
    }
}

fn sentence(errors: &[FieldError]) -> String {
    errors.iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect::<Vec<_>>().join("; ")
}

fn refusals(errors: &[NodeError]) -> String {
    errors.iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect::<Vec<_>>().join("; ")
}

fn unknown(what: &str, suggestions: &[String]) -> String {
    match suggestions.first() {
        None => format!("no such {what}"),
        Some(best) => format!("no such {what}; did you mean {best}?"),
    }
}
