//! Objects that people write by hand: their fields, and the error messages for unknown, missing and invalid ones.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::invalid_request::{InvalidKind, InvalidRequest};
use super::object::Objects;
use super::quoted::quoted;

/// A field that an object may have.
#[derive(Debug)]
pub struct Field {
    /// Name of the field.
    pub name: &'static str,
    /// Whether the field is required.
    pub required: bool,
    /// The allowed value, as the words after "use" in an error message.
    pub wanted: &'static str,
    /// The fields of the object that is the value; empty if the value is no object.
    pub fields: &'static [Self],
}

impl Field {
    /// Returns a field that is required.
    pub const fn required(name: &'static str, wanted: &'static str) -> Self {
        Self { name, required: true, wanted, fields: &[] }
    }

    /// Returns a field that may be absent.
    pub const fn optional(name: &'static str, wanted: &'static str) -> Self {
        Self { name, required: false, wanted, fields: &[] }
    }

    /// Returns the field as an object that has `fields`.
    pub const fn with(self, fields: &'static [Self]) -> Self {
        Self { fields, ..self }
    }

    /// Returns the refusal of the value `found` in this field, whose path is `path`.
    pub fn refusal(&self, path: &str, found: Value) -> InvalidRequest {
        let or_none = if self.required { "" } else { ", or leave it out" };
        InvalidRequest::new(path, InvalidKind::Value(found), format!("{}{or_none}", self.wanted))
    }
}

/// Reads an object that has `fields`. Error messages call it `whole`.
pub fn read<T: DeserializeOwned>(
    whole: &str,
    fields: &[Field],
    object: Map<String, Value>,
) -> Result<T, InvalidRequest> {
    check(whole, "", fields, &object)?;
    let object = Value::Object(object);
    serde_path_to_error::deserialize(Objects::new(&object)).map_err(|error| {
        let path = error.path().to_string();
        let found = object.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&object);
        match field(fields, &path) {
            Some(field) => field.refusal(&path, found.clone()),
            None => InvalidRequest::new(quoted(&path), InvalidKind::Value(found.clone()), names(fields)),
        }
    })
}

fn check(whole: &str, prefix: &str, fields: &[Field], object: &Map<String, Value>) -> Result<(), InvalidRequest> {
    if let Some(unknown) = object.keys().find(|name| fields.iter().all(|field| field.name != *name)) {
        let path = format!("{prefix}{}", quoted(unknown));
        return Err(InvalidRequest::new(path, InvalidKind::Unknown(whole.to_owned()), names(fields)));
    }
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        match object.get(field.name) {
            None if field.required => {
                return Err(InvalidRequest::new(path, InvalidKind::Missing, field.wanted));
            }
            // A script sends null for a value that it did not find. If null meant an absent field, the command would
            // lose its hold or its check of the epoch.
            Some(Value::Null) => return Err(field.refusal(&path, Value::Null)),
            Some(Value::Object(inner)) if !field.fields.is_empty() => {
                check(&format!("`{path}`"), &format!("{path}."), field.fields, inner)?;
            }
            None | Some(_) => {}
        }
    }
    Ok(())
}

fn field<'a>(fields: &'a [Field], path: &str) -> Option<&'a Field> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let found = fields.iter().find(|field| field.name == name)?;
    rest.map_or(Some(found), |rest| field(found.fields, rest))
}

fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ")
}
