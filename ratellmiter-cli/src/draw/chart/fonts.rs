//! Fonts of the letters in pictures: the embedded one, and fonts of the system for letters that it lacks.
//!
//! A viewer of SVG and HTML finds fonts by itself. In pixels, a letter without a font would be an empty box, so that it is
//! escaped instead, as in `\u{4f60}`. Letters are drawn one by one: words of scripts from right to left are put in their visual
//! order, but their letters are not joined.

#[cfg(test)]
pub(super) mod sample;
mod system;

use std::sync::{Mutex, OnceLock, PoisonError};

use plotters::style::{FontStyle, register_font};
use ttf_parser::{Face, OutlineBuilder};
use unicode_bidi::{BidiInfo, Level};

pub(crate) use system::find as system;

/// Family of the embedded font.
pub(super) const EMBEDDED: &str = "sans-serif";
/// The fonts with which a viewer shows the texts of an SVG: the one that they were measured with, or any that has the letters.
pub(super) const FAMILIES: &str = "Noto Sans, sans-serif";

/// Finds a font with a letter that the embedded font lacks.
pub(crate) type Lookup = fn(char) -> Option<&'static [u8]>;

/// Finds none: letters that the embedded font lacks are escaped.
pub(crate) fn none(_: char) -> Option<&'static [u8]> {
    None
}

/// Part of a text in one font.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) family: &'static str,
    pub(super) text: String,
}

/// Registers the embedded font.
pub(super) fn register() -> Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        register_font(EMBEDDED, FontStyle::Normal, notosans::REGULAR_TTF).is_ok()
            && register_font(EMBEDDED, FontStyle::Bold, notosans::BOLD_TTF).is_ok()
    });
    if *registered { Ok(()) } else { Err("the embedded fonts cannot be loaded".into()) }
}

/// Returns `true` if the embedded font has a letter, in all of its styles.
pub(super) fn is_embedded(letter: char) -> bool {
    static FACES: OnceLock<Vec<Face<'static>>> = OnceLock::new();
    let faces = FACES.get_or_init(|| {
        let styles = [notosans::REGULAR_TTF, notosans::BOLD_TTF];
        styles.iter().filter_map(|font| Face::parse(font, 0).ok()).collect()
    });
    letter.is_ascii() || faces.iter().all(|face| face.glyph_index(letter).is_some_and(|glyph| glyph.0 != 0))
}

/// Divides a text into runs from left to right, and escapes the letters that no font has.
pub(super) fn runs(text: &str, lookup: Lookup) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut push = |family, part: &str| match runs.last_mut() {
        Some(last) if last.family == family => last.text.push_str(part),
        _ => runs.push(Run { family, text: part.to_owned() }),
    };
    let family_of = |letter| {
        if is_embedded(letter) { Some(EMBEDDED) } else { lookup(letter).and_then(family) }
    };
    let mut buffer = [0; 4];
    for letter in text.chars() {
        match family_of(letter) {
            Some(family) => push(family, letter.encode_utf8(&mut buffer)),
            None => push(EMBEDDED, &letter.escape_unicode().to_string()),
        }
    }
    // Each on its own, so that a name does not change the order of what is beside it.
    runs.iter_mut().filter(|run| run.family != EMBEDDED).for_each(|run| run.text = in_visual_order(&run.text));
    runs
}

/// Returns the letters from left to right, as they are drawn.
fn in_visual_order(text: &str) -> String {
    let info = BidiInfo::new(text, Some(Level::ltr()));
    info.paragraphs.iter().map(|paragraph| info.reorder_line(paragraph, paragraph.range.clone())).collect()
}

/// Returns `true` if a font has a letter and can draw it: bitmaps and empty glyphs do not count.
fn has(face: &Face<'_>, letter: char) -> bool {
    face.glyph_index(letter).is_some_and(|glyph| {
        glyph.0 != 0 && (letter.is_whitespace() || face.outline_glyph(glyph, &mut Discarded).is_some())
    })
}

/// Returns the name under which a font is registered, after registering it if it is new; `None` if it cannot be loaded.
fn family(font: &'static [u8]) -> Option<&'static str> {
    static REGISTERED: Mutex<Vec<(&'static [u8], Option<&'static str>)>> = Mutex::new(Vec::new());
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, name)) = registered.iter().find(|(other, _)| std::ptr::eq(*other, font)) {
        return *name;
    }
    // Kept for the rest of the process, as plotters keeps the font.
    let name: &'static str = Box::leak(format!("fallback {}", registered.len()).into_boxed_str());
    let name = register_font(name, FontStyle::Normal, font).is_ok().then_some(name);
    registered.push((font, name));
    name
}

/// Outline that is not kept.
struct Discarded;

impl OutlineBuilder for Discarded {
    fn move_to(&mut self, _: f32, _: f32) {}

    fn line_to(&mut self, _: f32, _: f32) {}

    fn quad_to(&mut self, _: f32, _: f32, _: f32, _: f32) {}

    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, _: f32, _: f32) {}

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests;
