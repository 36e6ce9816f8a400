//! serde's traits for the few types that are written to files, as its derives would implement them.
//!
//! The derives take longer to build than all that they would write here.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde_core::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// Implements `Serialize` and `Deserialize` for a struct. Each field is of a kind:
///
/// - `required` is always written, and must be there; `borrowed` is the same for a `Cow<str>`, which is not copied if it has
///   no escapes.
/// - `always` is always written, and has its default, or the value in parentheses, where it is missing.
/// - `sparse` is not written where it has its default, and has its default where it is missing.
///
/// Unknown fields are ignored, and a field that is there twice is an error.
macro_rules! fields {
    ($name:ident $(<$life:lifetime>)? { $($field:ident: $kind:ident $(($missing:expr))?),* $(,)? }) => {
        impl $(<$life>)? serde_core::Serialize for $name $(<$life>)? {
            fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde_core::ser::SerializeStruct as _;

                let length = 0 $(+ usize::from($crate::log::fields::fields!(@is_written $kind self.$field)))*;
                let mut fields = serializer.serialize_struct(stringify!($name), length)?;
                $(
                    if $crate::log::fields::fields!(@is_written $kind self.$field) {
                        fields.serialize_field(stringify!($field), &self.$field)?;
                    } else {
                        fields.skip_field(stringify!($field))?;
                    }
                )*
                fields.end()
            }
        }

        impl<'de $(: $life, $life)?> $crate::log::fields::FromFields<'de> for $name $(<$life>)? {
            fn from_fields<A: serde_core::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                $(let mut $field = None;)*
                while let Some($crate::log::fields::Text(name)) = map.next_key()? {
                    match &*name {
                        $(stringify!($field) => $crate::log::fields::take(&mut map, stringify!($field), &mut $field)?,)*
                        _ => _ = map.next_value::<serde_core::de::IgnoredAny>()?,
                    }
                }
                Ok(Self { $($field: $crate::log::fields::fields!(@value $kind $field $(($missing))?)),* })
            }
        }

        impl<'de $(: $life, $life)?> serde_core::Deserialize<'de> for $name $(<$life>)? {
            fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const FIELDS: &[&str] = &[$(stringify!($field)),*];
                deserializer.deserialize_struct(stringify!($name), FIELDS, $crate::log::fields::Fields::new(stringify!($name)))
            }
        }
    };
    (@is_written sparse $value:expr) => { !$crate::log::fields::is_default(&$value) };
    (@is_written $kind:ident $value:expr) => { true };
    (@value required $field:ident) => { $crate::log::fields::required($field, stringify!($field))? };
    (@value borrowed $field:ident) => {{
        let $crate::log::fields::Text(text) = $crate::log::fields::required($field, stringify!($field))?;
        text
    }};
    (@value $kind:ident $field:ident) => { $field.unwrap_or_default() };
    (@value $kind:ident $field:ident ($missing:expr)) => { $field.unwrap_or($missing) };
}

/// Implements `Serialize` and `Deserialize` for an enum of words; an unknown word is `Other`.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// The word for it in configuration and logs.
            pub(crate) const fn key(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl serde_core::Serialize for $name {
            fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.key())
            }
        }

        impl<'de> serde_core::Deserialize<'de> for $name {
            fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $crate::log::fields::Text(word) = serde_core::Deserialize::deserialize(deserializer)?;
                Ok(match &*word {
                    $($word => Self::$variant,)*
                    _ => Self::Other,
                })
            }
        }
    };
}

pub(crate) use {fields, words};

/// What [`fields!`] implements `Deserialize` with.
pub(crate) trait FromFields<'de>: Sized {
    fn from_fields<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Visits the fields of a struct.
pub(crate) struct Fields<T> {
    name: &'static str,
    made: PhantomData<T>,
}

impl<T> Fields<T> {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, made: PhantomData }
    }
}

impl<'de, T: FromFields<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_fields(map)
    }
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads the value of a field, which must be the first of its name.
pub(crate) fn take<'de, T, A>(map: &mut A, name: &'static str, field: &mut Option<T>) -> Result<(), A::Error>
where
    T: Deserialize<'de>,
    A: MapAccess<'de>,
{
    if field.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    *field = Some(map.next_value()?);
    Ok(())
}

pub(crate) fn required<T, E: de::Error>(field: Option<T>, name: &'static str) -> Result<T, E> {
    field.ok_or_else(|| de::Error::missing_field(name))
}

/// A text that is borrowed where it can be.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;

        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(text.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(text.to_owned().into()))
            }
        }

        deserializer.deserialize_str(Borrowing)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    #[derive(Debug, PartialEq)]
    struct Sample<'a> {
        name: Cow<'a, str>,
        id: u64,
        count: u64,
        rate: f64,
        note: Option<String>,
        parts: Vec<Color>,
    }

    fields! {
        Sample<'a> { name: borrowed, id: required, count: always, rate: always(0.5), note: sparse, parts: sparse }
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Color {
        DarkRed,
        Other,
    }

    words! { Color { DarkRed = "dark_red", Other = "other" } }

    fn read(text: &str) -> Result<Sample<'_>, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_written_in_order_and_sparse_ones_only_where_they_are_not_the_default() {
        let bare = Sample { name: "a".into(), id: 1, count: 0, rate: 2.0, note: None, parts: Vec::new() };
        let text = serde_json::to_string(&bare).unwrap();
        assert_eq!(text, r#"{"name":"a","id":1,"count":0,"rate":2.0}"#);
        assert_eq!(read(&text), Ok(bare));
        let parts = vec![Color::DarkRed, Color::Other];
        let full = Sample { name: "\"".into(), id: 1, count: 2, rate: 0.0, note: Some("n".into()), parts };
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(text, r#"{"name":"\"","id":1,"count":2,"rate":0.0,"note":"n","parts":["dark_red","other"]}"#);
        assert_eq!(read(&text), Ok(full));
    }

    #[test]
    fn missing_fields_have_their_defaults_and_unknown_ones_are_ignored() {
        let text = r#"{"later":{"name":[1]},"id":1,"name":"a","note":null,"parts":["blue","dark_red"]}"#;
        let parts = vec![Color::Other, Color::DarkRed];
        assert_eq!(read(text), Ok(Sample { name: "a".into(), id: 1, count: 0, rate: 0.5, note: None, parts }));
    }

    #[test]
    fn wrong_fields_are_errors() {
        for (text, error) in [
            (r#"{"name":"a"}"#, "missing field `id`"),
            (r#"{"id":1}"#, "missing field `name`"),
            (r#"{"name":"a","id":1,"id":1}"#, "duplicate field `id`"),
            (r#"{"name":"a","id":-1}"#, "invalid value: integer `-1`, expected u64"),
            (r#"{"name":7,"id":1}"#, "invalid type: integer `7`, expected a string"),
            (r#"{"name":"a","id":1,"count":null}"#, "invalid type: null, expected u64"),
            (r#"{"name":"a","id":1,"parts":[1]}"#, "invalid type: integer `1`, expected a string"),
            (r"[1]", "invalid type: sequence, expected struct Sample"),
            (r#"{"name":"a","id":1"#, "EOF while parsing an object"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.starts_with(error), "{text}: {found}");
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(read(r#"{"name":"a","id":1}"#).unwrap().name, Cow::Borrowed("a")));
        assert!(matches!(read(r#"{"name":"\u0061","id":1}"#).unwrap().name, Cow::Owned(name) if name == "a"));
    }
}
