//! A font for tests, made of squares.

use std::sync::OnceLock;

use ttf_parser::Face;

/// Finds the letters of a system with one font of three letters.
pub(crate) fn lookup(letter: char) -> Option<&'static [u8]> {
    static FONT: OnceLock<Vec<u8>> = OnceLock::new();
    let font = FONT.get_or_init(|| font("Sample", &['你', 'ש', 'ל'], true));
    Face::parse(font, 0).is_ok_and(|face| super::has(&face, letter)).then_some(font.as_slice())
}

/// Returns a font with letters, whose glyphs are squares or empty.
pub(crate) fn font(name: &str, letters: &[char], is_visible: bool) -> Vec<u8> {
    let count = u16::try_from(letters.len()).unwrap() + 1;
    let square = square();
    let glyphs: Vec<&[u8]> = (0..count).map(|glyph| if glyph == 0 || is_visible { &square[..] } else { &[] }).collect();
    let mut offsets = vec![0_u32];
    glyphs.iter().for_each(|glyph| offsets.push(offsets[offsets.len() - 1] + u32::try_from(glyph.len()).unwrap()));
    let mut tables = [
        (*b"cmap", cmap(letters)),
        (*b"glyf", glyphs.concat()),
        (*b"head", head()),
        (*b"hhea", hhea(count)),
        (*b"hmtx", words(&[1000, 0]).repeat(usize::from(count))),
        (*b"loca", offsets.iter().flat_map(|offset| offset.to_be_bytes()).collect()),
        (*b"maxp", [&words(&[1, 0, count])[..], &[0; 26]].concat()),
        (*b"name", names(name)),
    ];
    let mut font = words(&[1, 0, 8, 128, 3, 0]);
    let mut at = 12 + 16 * tables.len();
    for (tag, table) in &mut tables {
        let length = table.len();
        table.resize(length.next_multiple_of(4), 0);
        font.extend(*tag);
        [0, at, length].iter().for_each(|number| font.extend(u32::try_from(*number).unwrap().to_be_bytes()));
        at += table.len();
    }
    tables.iter().for_each(|(_, table)| font.extend(table));
    font
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A square of 900 units.
fn square() -> Vec<u8> {
    let header = words(&[1, 0, 0, 900, 900, 3, 0]);
    // On the curve, with words for both coordinates.
    let corners = words(&[0, 0, 900, 0, 0, 900, 0, 900_u16.wrapping_neg()]);
    [&header[..], &[1; 4], &corners].concat()
}

fn head() -> Vec<u8> {
    let mut head = words(&[1, 0, 1, 0, 0, 0, 0x5f0f, 0x3cf5, 0, 1000]);
    head.resize(36, 0);
    head.extend(words(&[0, 0, 900, 900, 0, 8, 2, 1, 0]));
    head
}

fn hhea(count: u16) -> Vec<u8> {
    let mut hhea = words(&[1, 0, 900, 200_u16.wrapping_neg(), 0, 1000]);
    hhea.resize(34, 0);
    hhea.extend(words(&[count]));
    hhea
}

/// Groups of one letter each.
fn cmap(letters: &[char]) -> Vec<u8> {
    let count = u32::try_from(letters.len()).unwrap();
    let mut letters: Vec<(u32, u32)> =
        letters.iter().zip(1..).map(|(letter, glyph)| (u32::from(*letter), glyph)).collect();
    letters.sort_unstable();
    let groups = letters.iter().flat_map(|(letter, glyph)| [*letter, *letter, *glyph]);
    let table = [16 + 12 * count, 0, count].into_iter().chain(groups).flat_map(u32::to_be_bytes);
    [words(&[0, 1, 3, 10, 0, 12, 12, 0]), table.collect()].concat()
}

/// Family and name.
fn names(name: &str) -> Vec<u8> {
    let text: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let length = u16::try_from(text.len()).unwrap();
    let record = |id: u16| words(&[3, 1, 0x409, id, length, 0]);
    [words(&[0, 2, 30]), record(1), record(6), text].concat()
}
