//! Structures in the format of `Debug`, and dictionaries of Python, as JSON: `ApiError { code: Some("slow_down") }`.

use serde_json::{Number, Value};

use super::{
    json::Found,
    names,
    vocabulary::is_other_program,
    words::{Token, tokens},
};
use crate::judge::debug_form::{self, Group, Node};

/// Maximum number of places at which a structure is looked for.
const MAX_PLACES: usize = 4;

/// Maximum length in bytes of a structure.
const MAX_BYTES: usize = 16 << 10;

/// The names of variants that stand for their value.
const WRAPPERS: &[&str] = &["Some", "Ok", "Err", "String", "Number", "Bool"];

/// Returns the first structure in `text` that can be read, as JSON. Structures of other programs are none: `Os { code: 500, .. }`.
pub(super) fn find(text: &str) -> Option<Found> {
    let places = text.match_indices('{').map(|(at, _)| at).take(MAX_PLACES);
    places.into_iter().find_map(|start| {
        let rest = &text[start..];
        let (group, length) = debug_form::read_start(&rest[..rest.floor_char_boundary(MAX_BYTES)])?;
        let is_other = tokens(&text[..start]).last().and_then(Token::word).is_some_and(is_other_program);
        (!is_other).then(|| Found { range: start..start + length, json: of_group(&group).to_string() })
    })
}

fn of_group(group: &Group<'_>) -> Value {
    match &*group.members {
        [member] if WRAPPERS.contains(&group.name) => of_node(&member.value),
        members if members.iter().all(|member| !member.key.is_empty()) => {
            members.iter().map(|member| (member.key.trim_start_matches("r#"), of_node(&member.value))).collect()
        }
        members => members.iter().map(|member| of_node(&member.value)).collect(),
    }
}

fn of_node(node: &Node<'_>) -> Value {
    match node {
        Node::Text(text) => text.as_str().into(),
        Node::Group(group) => of_group(group),
        Node::Word("true" | "True") => true.into(),
        Node::Word("false" | "False") => false.into(),
        Node::Word("None" | "Null" | "null" | "nil") => Value::Null,
        Node::Word(word) => match word.parse::<Number>() {
            Ok(number) => number.into(),
            // The variant of an enum: `ResourceExhausted`.
            Err(_) => names::code(&tokens(word)).unwrap_or_else(|| (*word).to_owned()).into(),
        },
    }
}
