//! Fonts of the system.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use fontdb::{Database, FaceInfo, ID, Stretch, Style};
use ttf_parser::Face;

use super::has;

/// Finds a font of the system with a letter. The fonts are listed when the first letter is looked for.
pub(crate) fn find(letter: char) -> Option<&'static [u8]> {
    static FONTS: OnceLock<Mutex<Fonts>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut database = Database::new();
        database.load_system_fonts();
        Mutex::new(Fonts::of(database))
    });
    fonts.lock().unwrap_or_else(PoisonError::into_inner).find(letter)
}

/// Number of letters without a font after which only the fonts that were found are tried: each such letter is looked for in all
/// fonts of the system, and a name may contain hundreds of them.
const MAX_MISSES: usize = 50;

struct Fonts {
    database: Database,
    /// Faces in the order in which they are tried.
    order: Vec<ID>,
    /// Fonts that were found.
    loaded: Vec<&'static [u8]>,
    /// Letters that were looked for.
    known: HashMap<char, Option<&'static [u8]>>,
    /// Number of letters that no font has.
    misses: usize,
}

impl Fonts {
    fn of(database: Database) -> Self {
        let mut faces: Vec<_> = database.faces().filter(|face| is_usable(face)).collect();
        faces.sort_by_cached_key(|face| rank(face));
        let order = faces.iter().map(|face| face.id).collect();
        Self { database, order, loaded: Vec::new(), known: HashMap::new(), misses: 0 }
    }

    fn find(&mut self, letter: char) -> Option<&'static [u8]> {
        if let Some(known) = self.known.get(&letter) {
            return *known;
        }
        // A font that was used before is preferred, so that a name is in one font.
        let draws = |font: &[u8]| Face::parse(font, 0).is_ok_and(|face| has(&face, letter));
        let found = self.loaded.iter().copied().find(|font| draws(font)).or_else(|| {
            let data =
                |id: &ID| self.database.with_face_data(*id, |font, _| draws(font).then(|| font.to_vec())).flatten();
            // plotters keeps fonts for the rest of the process.
            let order = if self.misses < MAX_MISSES { &self.order[..] } else { &[] };
            let font: &'static [u8] = Box::leak(order.iter().find_map(data)?.into_boxed_slice());
            self.loaded.push(font);
            Some(font)
        });
        self.misses += usize::from(found.is_none());
        self.known.insert(letter, found);
        found
    }
}

/// Returns `true` for fonts that plotters can load, and that have no placeholders instead of letters.
fn is_usable(face: &FaceInfo) -> bool {
    let name: String = face.post_script_name.chars().filter(char::is_ascii_alphanumeric).collect();
    face.index == 0 && !name.to_ascii_lowercase().starts_with("lastresort")
}

/// Returns the order of fonts: upright and plain ones without serifs first, the same on each run.
fn rank(face: &FaceInfo) -> impl Ord + use<> {
    let is_plain = face.style == Style::Normal && face.stretch == Stretch::Normal && !face.monospaced;
    let name = face.post_script_name.clone();
    (!is_plain, face.weight.0.abs_diff(400), Reverse(name.contains("Sans")), name)
}

#[cfg(test)]
mod tests {
    use fontdb::Source;

    use super::*;
    use crate::draw::chart::fonts::sample;

    fn with(fonts: &[Vec<u8>]) -> Fonts {
        let mut database = Database::new();
        fonts.iter().for_each(|font| _ = database.load_font_source(Source::Binary(std::sync::Arc::new(font.clone()))));
        Fonts::of(database)
    }

    #[test]
    fn first_font_with_an_outline_is_found_once() {
        let fonts = [sample::font("Blank", &['你', '好'], false), sample::font("Sans", &['你'], true)];
        let mut fonts = with(&fonts);
        let found = fonts.find('你').unwrap();
        assert!(std::ptr::eq(found, fonts.find('你').unwrap()), "it is loaded once");
        assert_eq!((fonts.find('好'), fonts.loaded.len()), (None, 1), "empty glyphs do not count");
    }

    #[test]
    fn search_for_letters_that_no_font_has_is_bounded() {
        let mut fonts = with(&[sample::font("Sans", &['你', '好'], true), sample::font("Zans", &['漢'], true)]);
        assert!(fonts.find('你').is_some());
        assert!(('가'..).take(MAX_MISSES).all(|letter| fonts.find(letter).is_none()));
        assert!(fonts.find('好').is_some(), "a font that was found is tried");
        assert_eq!(fonts.find('漢'), None, "others are not");
    }

    #[test]
    fn fonts_of_placeholders_and_machines_without_fonts_have_no_letter() {
        assert_eq!(with(&[sample::font("LastResort", &['你'], true)]).find('你'), None);
        assert_eq!(with(&[b"no font".to_vec(), Vec::new()]).find('你'), None);
        assert_eq!(with(&[]).find('你'), None);
    }

    #[test]
    fn fonts_of_this_system_draw_what_they_are_found_for() {
        for letter in ['你', 'ש', 'ع', 'ह', '한', '🦀'] {
            if let Some(font) = find(letter) {
                assert!(has(&Face::parse(font, 0).unwrap(), letter), "{letter}");
            }
        }
    }
}
