//! Pixels to a PNG.

use std::io;

use png::{BitDepth, ColorType, Compression, Encoder, PixelDimensions, Unit};

/// A finished picture, three bytes a pixel.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// So that it is as large on paper as it looks on the screen: 2000 are ten inches.
const DOTS_PER_INCH: f64 = 200.0;

impl Picture {
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        // A positive constant, far from any limit.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let per_meter = (DOTS_PER_INCH / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_meter, yppu: per_meter, unit: Unit::Meter }));
        let mut image = encoder.write_header()?;
        image.write_image_data(&self.pixels)?;
        image.finish()?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_has_its_size_on_paper() {
        let picture = Picture { width: 2, height: 1, pixels: vec![0, 1, 2, 3, 4, 5] };
        let mut reader = png::Decoder::new(io::Cursor::new(picture.encode().unwrap())).read_info().unwrap();
        assert_eq!(reader.info().pixel_dims.unwrap().xppu, 7874);
        let mut pixels = vec![0; 6];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture.pixels);
        assert!(Picture { pixels: vec![0; 3], ..picture }.encode().is_err());
    }
}
