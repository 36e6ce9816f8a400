//! Implementations of serde's traits for the few types that are written to files, as its derives would generate them.
//!
//! Building the derives would take longer than the code they replace.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde_core::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// Implements `Serialize` and `Deserialize` for a struct. Each field has a kind:
///
/// - `required` fields are always written, and an error if missing. `borrowed` is the same for a `Cow<str>`, which is not
///   copied if it has no escapes.
/// - `always` fields are always written. A missing one has its default, or the value in parentheses.
/// - `sparse` fields are not written if they have their default, and a missing one has its default.
///
/// Unknown fields are ignored, and duplicate fields are an error.
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
                        $(stringify!($field) => $crate::log::fields::read_field(&mut map, stringify!($field), &mut $field)?,)*
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

/// Implements `key`, `from_key`, `Serialize` and `Deserialize` for an enum of words. The words of a variant `$rest` are those of
/// its content.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? } $(or $rest:ident($content:ident))?) => {
        impl $name {
            /// Returns its word in logs.
            pub(crate) const fn key(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                    $(Self::$rest(content) => content.key(),)?
                }
            }

            /// Returns the value with this word, or `None` if there is none.
            pub(crate) fn from_key(key: &str) -> Option<Self> {
                match key {
                    $($word => Some(Self::$variant),)*
                    _ => None $(.or_else(|| $content::from_key(key).map(Self::$rest)))?,
                }
            }
        }

        $crate::log::fields::serde_of_words!($name);
    };
}

/// Implements `Serialize` and `Deserialize` for an enum with `key` and `from_key`. An unknown word is read as `Other`.
macro_rules! serde_of_words {
    ($name:ident) => {
        impl serde_core::Serialize for $name {
            fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.key())
            }
        }

        impl<'de> serde_core::Deserialize<'de> for $name {
            fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $crate::log::fields::Text(word) = serde_core::Deserialize::deserialize(deserializer)?;
                Ok(Self::from_key(&word).unwrap_or(Self::Other))
            }
        }
    };
}

pub(crate) use {fields, serde_of_words, words};

/// Struct that is read field by field, implemented by [`fields!`].
pub(crate) trait FromFields<'de>: Sized {
    fn from_fields<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Visitor of the fields of a struct.
pub(crate) struct Fields<T> {
    name: &'static str,
    result: PhantomData<T>,
}

impl<T> Fields<T> {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, result: PhantomData }
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

/// Reads the value of a field. A second value for the same field is an error.
pub(crate) fn read_field<'de, T, A>(map: &mut A, name: &'static str, field: &mut Option<T>) -> Result<(), A::Error>
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

/// Text that is borrowed if it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
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

        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests;
