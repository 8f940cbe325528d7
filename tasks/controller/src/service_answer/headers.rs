//! Headers of an answer: which of them can be sent, and in which form they leave.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderName, HeaderValue};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::route_headers::{DECLINED_HEADER, FALLBACK_HEADER, LEVEL_HEADER, ROUTED_TO_HEADER};

/// The headers that only the controller may set.
const RESERVED: [&str; 4] = [DECLINED_HEADER, LEVEL_HEADER, ROUTED_TO_HEADER, FALLBACK_HEADER];

/// Headers in their order, each value raw.
#[derive(Default)]
pub struct Headers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Headers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Headers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut headers = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some((Text(name), value)) = map.next_entry()? {
                    headers.push((name, value));
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl<'a> Headers<'a> {
    /// Reads the member `headers` of an answer, which may be null.
    ///
    /// # Errors
    /// The member is not an object.
    pub fn read(raw: &'a RawValue) -> Result<Self, &'static str> {
        serde_json::from_str::<Option<Self>>(raw.get()).map(Option::unwrap_or_default).map_err(|_| "not an object")
    }

    /// Checks that all headers can be sent.
    ///
    /// # Errors
    /// A name is no header's name, or a value is a list, an object, or a text that no header may have.
    pub fn check(&self) -> Result<(), &'static str> {
        self.0.iter().try_for_each(|(name, value)| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a name is not a header name of HTTP")?;
            match value.get().as_bytes().first() {
                Some(b'[' | b'{') => Err("a value is a list or an object"),
                Some(b'"') => match serde_json::from_str::<Text<'_>>(value.get()) {
                    Ok(Text(text)) if HeaderValue::from_bytes(text.as_bytes()).is_ok() => Ok(()),
                    _ => Err("a value has a character that no header may have"),
                },
                _ => Ok(()),
            }
        })
    }

    /// Whether there is a header of this name, in any case, whose value is neither null nor false.
    pub fn marks(&self, name: &str) -> bool {
        let is_set = |value: &RawValue| !matches!(value.get(), "null" | "false" | "\"false\"");
        self.0.iter().any(|(theirs, value)| theirs.eq_ignore_ascii_case(name) && is_set(value))
    }

    /// These headers and the breaker's, which no service may set.
    pub const fn merged_with<'b>(&'b self, ours: &'b BTreeMap<&'static str, String>) -> Merged<'b> {
        Merged { theirs: self, ours }
    }
}

/// A service's headers and the breaker's.
pub struct Merged<'a> {
    theirs: &'a Headers<'a>,
    ours: &'a BTreeMap<&'static str, String>,
}

impl Serialize for Merged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.theirs.0 {
            if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
                continue;
            }
            match value.get().as_bytes().first() {
                Some(b'"') => map.serialize_entry(name, value)?,
                // A header that has no value is not sent.
                Some(b'n') => {}
                // A number or a boolean, which API Gateway sends as its JSON text.
                _ => map.serialize_entry(name, value.get())?,
            }
        }
        for (name, value) in self.ours {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
