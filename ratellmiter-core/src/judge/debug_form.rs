//! The form in which `#[derive(Debug)]` writes a value, read back as a tree.
//!
//! Texts stay texts: what is inside of quotes is never read as a field. Reading stops at the first part that is not in this
//! form, such as the free text of a `Debug` written by hand, and keeps the parts before it.

use std::borrow::Cow;

/// Maximum depth of the tree.
const MAX_DEPTH: usize = 32;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// A value without quotes: a number, a duration, the name of a variant without fields.
    Word(&'a str),
    /// The content of a string.
    Text(String),
    /// A value with members.
    Group(Group<'a>),
}

/// A struct, a variant with fields, a list or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group<'a> {
    /// The name of the struct or of the variant, empty for a list or a map.
    pub(super) name: &'a str,
    /// The members in their order.
    pub(super) members: Vec<Member<'a>>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member<'a> {
    /// The name of a field or the key in a map, empty in a tuple or a list.
    pub(super) key: Cow<'a, str>,
    /// The value.
    pub(super) value: Node<'a>,
}

impl Node<'_> {
    /// Returns the value inside of `Some(..)`, or the value itself.
    pub(super) fn unwrapped(&self) -> &Self {
        match self {
            Self::Group(Group { name: "Some", members }) if members.len() == 1 => members[0].value.unwrapped(),
            other => other,
        }
    }
}

/// Reads a value. Returns `None` if the text is not one value with members, apart from a part at its end that is cut off or
/// in no known form.
pub(super) fn read(text: &str) -> Option<Group<'_>> {
    let mut reader = Reader { rest: text.trim(), is_broken: false };
    match reader.value(0)? {
        Node::Group(group) if reader.is_broken || reader.rest.is_empty() => Some(group),
        _ => None,
    }
}

/// Reads the value with members at the start of a text. Returns it with its length in bytes, or `None` if it is not complete.
pub(super) fn read_start(text: &str) -> Option<(Group<'_>, usize)> {
    let mut reader = Reader { rest: text, is_broken: false };
    match reader.value(0)? {
        Node::Group(group) if !reader.is_broken => Some((group, text.len() - reader.rest.len())),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// A part was not in the form. Nothing is read after it.
    is_broken: bool,
}

impl<'a> Reader<'a> {
    fn broken<T>(&mut self) -> Option<T> {
        self.is_broken = true;
        None
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        if depth == MAX_DEPTH {
            return self.broken();
        }
        self.rest = self.rest.trim_start();
        if self.skip("\"") {
            return Some(Node::Text(self.quoted('"')));
        }
        if self.skip("'") {
            return Some(Node::Text(self.quoted('\'')));
        }
        let name = self.word();
        if name == "b" && self.skip("\"") {
            return Some(Node::Text(self.quoted('"')));
        }
        let before = self.rest;
        self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
        let close = match self.rest.chars().next() {
            Some('{') => '}',
            Some('[') => ']',
            Some('(') if self.rest.len() == before.len() => ')',
            _ if name.is_empty() => return self.broken(),
            _ => {
                self.rest = before;
                return Some(Node::Word(name));
            }
        };
        self.rest = &self.rest[1..];
        Some(Node::Group(Group { name, members: self.members(close, depth) }))
    }

    /// Reads the members of a group up to its closing bracket.
    fn members(&mut self, close: char, depth: usize) -> Vec<Member<'a>> {
        let mut members = Vec::new();
        while !self.is_broken {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                break;
            }
            // The end of a value whose type hides fields.
            if self.skip("..") {
                continue;
            }
            let Some(first) = self.value(depth + 1) else { break };
            let member = match first {
                Node::Word(key) if self.skip(":") => self.value(depth + 1).map(|value| (key.into(), value)),
                Node::Text(key) if self.skip(":") => self.value(depth + 1).map(|value| (key.into(), value)),
                value => Some((Cow::Borrowed(""), value)),
            };
            members.extend(member.map(|(key, value)| Member { key, value }));
            self.rest = self.rest.trim_start();
            if !self.skip(",") && !self.rest.starts_with(close) {
                self.is_broken = true;
            }
        }
        members
    }

    /// Reads the rest of a string or a character after its opening `quote`.
    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                self.rest = &self.rest[at + 1..];
                return text;
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            match letters.next().map(|(_, escape)| escape) {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('0') => text.push('\0'),
                Some('u') => {
                    let code = letters.by_ref().map(|(_, digit)| digit).take_while(|digit| *digit != '}');
                    let code: String = code.skip(1).take(8).collect();
                    text.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                }
                Some(other) => text.push(other),
                None => break,
            }
        }
        self.rest = "";
        self.is_broken = true;
        text
    }

    /// Reads a name, a path, a number or another value without spaces. It may be empty.
    fn word(&mut self) -> &'a str {
        let mut letters = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, letter)) = letters.next() {
            // A key ends with a colon and a space; a colon inside of a word belongs to a path, a time or an address.
            let is_end = match letter {
                ':' => letters.peek().is_none_or(|(_, next)| next.is_whitespace()),
                ',' | '{' | '}' | '[' | ']' | '(' | ')' | '"' | '\'' => true,
                other => other.is_whitespace(),
            };
            if is_end {
                end = at;
                break;
            }
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

#[cfg(test)]
mod tests;
