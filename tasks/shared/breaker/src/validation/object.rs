//! Takes an object, and nothing else, where an object is expected.
//!
//! Code that serde derives for a struct also takes a list of the fields' values: `["1", "2", "10"]` would be a
//! transfer. [`Objects`] wraps the deserializer that such code reads from, and refuses lists for structs at every
//! depth. Everything that comes from outside is read through it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Reads JSON text in which each struct must be an object.
///
/// # Errors
/// The text is not JSON, is more than one value, or does not fit the type.
pub fn from_str<'de, T: Deserialize<'de>>(json: &'de str) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = T::deserialize(Objects::new(&mut deserializer))?;
    deserializer.end()?;
    Ok(value)
}

/// Reads an enum with an internal tag. serde buffers such a value before it knows the variant, and [`Objects`] cannot
/// see through the buffer: the field that holds the enum names this function as its `deserialize_with`, and so does
/// each object inside of a variant.
pub(crate) fn tagged<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Tagged(PhantomData))
}

/// Reads an enum with an internal tag from a field that may be absent.
pub(crate) fn tagged_or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Present<T>(T);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Present<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            tagged(deserializer).map(Self)
        }
    }

    Ok(Option::<Present<T>>::deserialize(deserializer)?.map(|Present(value)| value))
}

struct Tagged<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Tagged<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// A deserializer that takes only objects for structs, and the visitors, seeds and accessors that apply the rule to the
/// values inside.
#[derive(Clone, Copy, Debug)]
pub struct Objects<T>(T);

impl<T> Objects<T> {
    /// Wraps a deserializer.
    pub const fn new(deserializer: T) -> Self {
        Self(deserializer)
    }
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(
            fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
                self.0.$method($($argument,)* Objects(visitor))
            }
        )*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    /// Reads a struct as a map, so that a list is refused.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Objects(visitor))
    }

    forward! {
        deserialize_any() deserialize_ignored_any() deserialize_identifier() deserialize_option()
        deserialize_bool() deserialize_char() deserialize_str() deserialize_string()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_seq() deserialize_map() deserialize_tuple(length: usize)
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! pass_on {
    ($($method:ident($type:ty))*) => {
        $(
            fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
                self.0.$method(value)
            }
        )*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Objects<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    pass_on! {
        visit_bool(bool) visit_char(char) visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Objects(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Objects(data))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Objects(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Objects<A> {
    type Error = A::Error;
    type Variant = Objects<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        self.0.variant_seed(Objects(seed)).map(|(variant, data)| (variant, Objects(data)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Objects(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(length, Objects(visitor))
    }

    /// The variant's fields are an object as those of a struct are.
    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, A::Error> {
        self.0.newtype_variant_seed(Fields(visitor))
    }
}

/// Reads the fields of a struct variant.
struct Fields<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Fields<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_map(Objects(self.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        #[serde(default)]
        flag: bool,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum Shape {
        Nothing,
        One(Inner),
        Two(u8, Inner),
        Some { flag: bool },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wrapped(Inner);

    #[derive(Debug, Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        text: &'a str,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        map: std::collections::BTreeMap<String, Inner>,
        wrapped: Option<Wrapped>,
        pair: Option<(u8, Inner)>,
        shape: Option<Shape>,
        any: Option<Value>,
    }

    const OUTER: &str = r#"{"text":"borrowed","raw":[1.50,[true]],"inner":{"flag":true},"list":[{},{"flag":true}],
        "map":{"a":{}},"wrapped":{},"pair":[1,{}],"shape":{"some":{"flag":true}},"any":[[1]],"unknown":[["\ud800"]]}"#;

    #[test]
    fn objects_are_read_as_serde_reads_them() {
        let outer: Outer<'_> = from_str(OUTER).unwrap();
        assert_eq!((outer.text, outer.raw.unwrap().get()), ("borrowed", "[1.50,[true]]"));
        assert_eq!((outer.inner, outer.list.len(), outer.map.len()), (Some(Inner { flag: true }), 2, 1));
        assert_eq!(
            (outer.wrapped, outer.pair),
            (Some(Wrapped(Inner { flag: false })), Some((1, Inner { flag: false })))
        );
        assert_eq!((outer.shape, outer.any), (Some(Shape::Some { flag: true }), Some(json!([[1]]))));
        for (shape, expected) in [
            ("\"nothing\"", Shape::Nothing),
            ("{\"one\":{}}", Shape::One(Inner { flag: false })),
            ("{\"two\":[1,{}]}", Shape::Two(1, Inner { flag: false })),
        ] {
            assert_eq!(from_str::<Shape>(shape).unwrap(), expected);
        }
    }

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        for (object, list) in [
            (OUTER, "[\"borrowed\",null,null,[],{},null,null,null,null]"),
            ("\"inner\":{\"flag\":true}", "\"inner\":[true]"),
            ("\"inner\":{\"flag\":true}", "\"inner\":[]"),
            ("[{},{\"flag\":true}]", "[{},[true]]"),
            ("\"a\":{}", "\"a\":[false]"),
            ("\"wrapped\":{}", "\"wrapped\":[true]"),
            ("[1,{}]", "[1,[true]]"),
            ("{\"some\":{\"flag\":true}}", "{\"some\":[true]}"),
            ("{\"some\":{\"flag\":true}}", "{\"one\":[true]}"),
            ("{\"some\":{\"flag\":true}}", "{\"two\":[1,[true]]}"),
        ] {
            let json = OUTER.replace(object, list);
            assert!(serde_json::from_str::<Outer<'_>>(&json).is_ok(), "serde alone refuses {list}, too");
            let error = from_str::<Outer<'_>>(&json).unwrap_err().to_string();
            assert!(error.contains("invalid type: sequence, expected struct"), "{list}: {error}");
        }
    }

    #[test]
    fn only_whole_objects_are_read() {
        for json in ["", "{", "null", "true", "1", "\"{}\"", "{} {}", "[{}]", "{}x"] {
            assert!(from_str::<Inner>(json).is_err(), "{json}");
        }
    }
}
