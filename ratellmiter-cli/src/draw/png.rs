//! Encodes pixels as PNG.

use std::io;

use png::{BitDepth, ColorType, Compression, Encoder, PixelDimensions, Unit};

/// A picture with three bytes per pixel.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// Resolution for print: a picture of 2000 pixels is ten inches wide.
const DOTS_PER_INCH: f64 = 200.0;

impl Picture {
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        // A positive constant that fits.
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
    fn encoded_picture_decodes_with_its_resolution() {
        let picture = Picture { width: 2, height: 1, pixels: vec![0, 1, 2, 3, 4, 5] };
        let mut reader = png::Decoder::new(io::Cursor::new(picture.encode().unwrap())).read_info().unwrap();
        assert_eq!(reader.info().pixel_dims.unwrap().xppu, 7874);
        let mut pixels = vec![0; 6];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture.pixels);
        assert!(Picture { pixels: vec![0; 3], ..picture }.encode().is_err());
    }
}
