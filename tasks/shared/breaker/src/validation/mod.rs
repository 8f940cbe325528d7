//! Checks of what comes from outside: the shape of JSON, the fields of an object, texts and names.

pub(crate) mod fields;
mod input_error;
mod invalid_attribute;
mod invalid_request;
pub mod object;
pub(crate) mod quoted;
pub(crate) mod text;

pub use input_error::{place_of_error, without_content};
pub use invalid_attribute::InvalidAttribute;
pub use invalid_request::{InvalidKind, InvalidRequest};
