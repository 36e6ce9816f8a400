//! Pixels to a file.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    path::Path,
    process,
};

use png::{BitDepth, ColorType, Compression, Encoder, PixelDimensions, Unit};

use crate::series::Lines;

/// A finished picture, three bytes a pixel.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// So that it is as large on paper as it looks on the screen: ten inches wide.
const DOTS_PER_INCH: f64 = 200.0;

/// The longest file name that common systems take, in bytes.
const LONGEST_NAME: usize = 255;

/// The name of a picture that was given none: `<log>-<model>_<lines>.png`.
pub(crate) fn name(log: &Path, model: &str, lines: &Lines) -> String {
    let log = log.file_stem().map_or(Cow::Borrowed("log"), |stem| stem.to_string_lossy());
    let mut name: String = format!("{log}-{model}")
        .chars()
        // What separates paths somewhere, and what cannot be typed.
        .map(|letter| if matches!(letter, '/' | '\\' | ':') || letter.is_control() { '-' } else { letter })
        .collect();
    let end = format!("_{}.png", lines.letters());
    name.truncate(name.floor_char_boundary(LONGEST_NAME.saturating_sub(end.len())));
    name + &end
}

/// Writes a picture: whole, or not at all.
pub(crate) fn write(picture: &Picture, path: &Path) -> io::Result<()> {
    // A link stays one: the picture goes where it points to.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        // A device or a pipe is written to. To put a file in its place would take it from everybody.
        Ok(there) if !there.is_file() => return encode(picture, &mut OpenOptions::new().write(true).open(&target)?),
        _ => {}
    }
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let unfinished = directory.join(format!(".ratellmiter-{}.png.tmp", process::id()));
    let written = File::create(&unfinished)
        .and_then(|mut file| encode(picture, &mut file).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, &target));
    if written.is_err() {
        // Whatever is left of it; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn encode(picture: &Picture, file: &mut File) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let mut encoder = Encoder::new(&mut file, picture.width, picture.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    // A positive constant, far from any limit.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let per_meter = (DOTS_PER_INCH / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_meter, yppu: per_meter, unit: Unit::Meter }));
    let mut image = encoder.write_header()?;
    image.write_image_data(&picture.pixels)?;
    image.finish()?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(log: &str, model: &str) -> String {
        name(Path::new(log), model, &"ri".parse().unwrap())
    }

    #[test]
    fn a_picture_is_named_for_its_log_model_and_lines() {
        assert_eq!(named("logs/17-4.jsonl", "gpt-4o"), "17-4-gpt-4o_ri.png");
        assert_eq!(named("17-4.jsonl", "mistral/large"), "17-4-mistral-large_ri.png");
        assert_eq!(named("17-4.jsonl", "../../etc/🦀\n"), "17-4-..-..-etc-🦀-_ri.png");
    }

    #[test]
    fn a_name_is_no_longer_than_systems_take() {
        let name = named("17-4.jsonl", &"é".repeat(300));
        assert!(name.len() <= LONGEST_NAME && name.ends_with("é_ri.png"), "{name}");
    }

    #[test]
    fn a_picture_is_written_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let picture = Picture { width: 2, height: 1, pixels: vec![0, 1, 2, 3, 4, 5] };
        let path = directory.path().join("a.png");
        write(&picture, &path).unwrap();
        let mut reader = png::Decoder::new(io::BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
        assert_eq!(reader.info().pixel_dims.unwrap().xppu, 7874);
        let mut pixels = vec![0; 6];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture.pixels);

        fs::create_dir(directory.path().join("b.png")).unwrap();
        assert!(write(&picture, &directory.path().join("b.png")).is_err());
        assert!(write(&picture, &directory.path().join("none/c.png")).is_err());
        let wrong = Picture { pixels: vec![0; 3], ..picture };
        assert!(write(&wrong, &directory.path().join("d.png")).is_err());
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.png", "b.png"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays_what_it_is() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};

        let directory = tempfile::tempdir().unwrap();
        let picture = Picture { width: 1, height: 1, pixels: vec![0, 1, 2] };
        let (link, target) = (directory.path().join("link.png"), directory.path().join("target.png"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        write(&picture, &link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read(&target).unwrap().starts_with(b"\x89PNG"));
        // Devices, by links of our own: if this fails, it is a link that is lost.
        for (name, device) in [("null", "/dev/null"), ("full", "/dev/full")] {
            let link = directory.path().join(name);
            symlink(device, &link).unwrap();
            let written = write(&picture, &link);
            assert_eq!(written.is_ok(), name == "null", "{written:?}");
            assert!(fs::metadata(device).unwrap().file_type().is_char_device());
        }
    }
}
