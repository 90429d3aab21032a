//! A trigger that somebody drew: a colour and an opacity for every pixel, laid over the picture.
//!
//! In: pixels with alpha, or a PNG file with them. Out: stamped pictures. With an opaque corner it is BadNets' patch (Gu
//! et al. 2017), with a faint picture all over Chen et al.'s blend (2017); between them lies whatever is drawn.

use super::Attack;
use base64::Engine as _;
use image::{ImageFormat, ImageReader, Limits, RgbaImage};
use std::io::{BufReader, Cursor};
use std::path::Path;

/// Longest side of a trigger that is read, in pixels: triggers are as large as the pictures a network sees.
const MAX_SIDE: u32 = 4096;

/// Red, green, blue and opacity of every pixel; stretched to the picture where that has another size.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "Coded", try_from = "Coded")]
pub struct Drawn {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Row after row: red, green, blue, and opacity from 0 (the picture shows) to 255 (the trigger shows).
    pub pixels: Vec<[u8; 4]>,
}

/// Why a drawn trigger could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawnError {
    /// The file cannot be opened.
    #[error("cannot read the trigger {path}: {source}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no picture.
    #[error("{0} is no PNG picture; save the trigger as PNG, transparent where the picture should show")]
    NoPicture(String),
    /// Every pixel is transparent.
    #[error("{0} is transparent everywhere, so it would change nothing; draw something on it")]
    Nothing(String),
}

impl Drawn {
    /// Nothing drawn yet.
    pub fn blank([height, width]: [usize; 2]) -> Self {
        Self { height, width, pixels: vec![[0; 4]; height * width] }
    }

    /// Whether it would change nothing.
    pub fn is_blank(&self) -> bool {
        self.pixels.iter().all(|pixel| pixel[3] == 0)
    }

    /// Share of the picture it touches, in `[0, 1]`.
    pub fn covers(&self) -> f32 {
        self.pixels.iter().filter(|pixel| pixel[3] > 0).count() as f32 / self.pixels.len().max(1) as f32
    }

    /// Puts `pixel` at every place of the square with `size` pixels a side around `[row, column]`, within the picture.
    pub fn paint(&mut self, [row, column]: [usize; 2], size: usize, pixel: [u8; 4]) {
        let range = |at: usize, of: usize| {
            let from = at.saturating_sub((size.max(1) - 1) / 2);
            from.min(of)..(from + size.max(1)).min(of)
        };
        for y in range(row, self.height) {
            for x in range(column, self.width) {
                self.pixels[y * self.width + x] = pixel;
            }
        }
    }

    /// The same trigger `factor` times as large, about the place it is at (pixels are repeated or left out); one that
    /// touches more than half of the picture grows stronger or fainter instead.
    pub fn scaled(&self, factor: f32) -> Self {
        let touched: Vec<usize> = (0..self.pixels.len()).filter(|&i| self.pixels[i][3] > 0).collect();
        let of = |i: &usize| [i / self.width, i % self.width];
        let bounds = |axis: usize| {
            let places = touched.iter().map(|i| of(i)[axis]);
            Some([places.clone().min()?, places.max()?])
        };
        let (Some(rows), Some(columns)) = (bounds(0), bounds(1)) else { return self.clone() };
        let area = (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1);
        if 2 * area > self.pixels.len() {
            let stronger = |p: &[u8; 4]| [p[0], p[1], p[2], (f32::from(p[3]) * factor).round().clamp(0.0, 255.0) as u8];
            return Self { pixels: self.pixels.iter().map(stronger).collect(), ..*self };
        }
        let (top, height) = stretched(rows, factor, self.height);
        let (left, width) = stretched(columns, factor, self.width);
        let mut scaled = Self::blank([self.height, self.width]);
        for y in 0..height {
            for x in 0..width {
                let from = |at: usize, side: usize, [low, high]: [usize; 2]| low + at * (high - low + 1) / side;
                let [row, column] = [from(y, height, rows), from(x, width, columns)];
                scaled.pixels[(top + y) * self.width + left + x] = self.pixels[row * self.width + column];
            }
        }
        scaled
    }

    /// The same trigger for pictures of another size: pixels are repeated or left out.
    pub fn resized(&self, [height, width]: [usize; 2]) -> Self {
        let from = |y: usize, x: usize| self.pixels[(y * self.height / height) * self.width + x * self.width / width];
        let pixels = (0..height * width).map(|i| from(i / width, i % width)).collect();
        Self { height, width, pixels }
    }

    /// The trigger in a PNG file.
    ///
    /// # Errors
    /// [`DrawnError`], a sentence.
    pub fn read(path: &Path) -> Result<Self, DrawnError> {
        let file = std::fs::File::open(path).map_err(|source| DrawnError::Io { path: path.into(), source })?;
        Self::decoded(BufReader::new(file), &path.display().to_string())
    }

    fn decoded(bytes: impl std::io::BufRead + std::io::Seek, name: &str) -> Result<Self, DrawnError> {
        let mut reader = ImageReader::with_format(bytes, ImageFormat::Png);
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
        reader.limits(limits);
        let picture = reader.decode().map_err(|_| DrawnError::NoPicture(name.into()))?.to_rgba8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let drawn = Self { height, width, pixels: picture.pixels().map(|p| p.0).collect() };
        if drawn.is_blank() { Err(DrawnError::Nothing(name.into())) } else { Ok(drawn) }
    }

    /// The trigger as a PNG file, transparent where the picture shows; empty where it has no pixel.
    pub fn png(&self) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let written = RgbaImage::from_raw(self.width as u32, self.height as u32, self.pixels.concat())
            .map(|picture| picture.write_to(&mut bytes, ImageFormat::Png));
        if matches!(written, Some(Ok(()))) { bytes.into_inner() } else { Vec::new() }
    }
}

/// Where `[low, high]`, `factor` times as long, begins in `0..of`, and how long it is by then.
fn stretched([low, high]: [usize; 2], factor: f32, of: usize) -> (usize, usize) {
    let length = high - low + 1;
    let longer = ((length as f32 * factor).round() as usize).clamp(1, of);
    // A trigger in a corner stays there: room is taken from the side that has more of it.
    let grown = longer as isize - length as isize;
    let before = low as isize - if low > of - 1 - high { grown } else { 0 };
    (before.clamp(0, (of - longer) as isize) as usize, longer)
}

impl Attack for Drawn {
    fn name(&self) -> &'static str {
        "drawn"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        for (c, plane) in image.chunks_exact_mut(height * width).enumerate().take(channels) {
            for (i, value) in plane.iter_mut().enumerate() {
                let (row, column) = (i / width * self.height / height, i % width * self.width / width);
                let [red, green, blue, opacity] = self.pixels[row * self.width + column];
                let colour = [red, green, blue].map(u32::from);
                let over = if channels == 3 { colour[c] } else { colour.iter().sum::<u32>() / 3 };
                let (over, below, opacity) = (over, u32::from(*value), u32::from(opacity));
                *value = ((over * opacity + below * (255 - opacity) + 127) / 255) as u8;
            }
        }
    }
}

/// How a drawn trigger stands in a document: its PNG in base64.
#[derive(serde::Serialize, serde::Deserialize)]
struct Coded {
    png: String,
}

impl From<Drawn> for Coded {
    fn from(drawn: Drawn) -> Self {
        Self { png: base64::engine::general_purpose::STANDARD.encode(drawn.png()) }
    }
}

impl TryFrom<Coded> for Drawn {
    type Error = String;

    fn try_from(coded: Coded) -> Result<Self, String> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(coded.png).map_err(|why| why.to_string())?;
        Self::decoded(Cursor::new(bytes), "the drawn trigger").map_err(|why| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn square() -> Drawn {
        let mut drawn = Drawn::blank([8, 8]);
        drawn.paint([4, 4], 2, [255, 0, 0, 255]);
        drawn
    }

    #[test]
    fn opaque_pixels_cover_faint_ones_mix_and_clear_ones_leave_the_picture() {
        let mut drawn = Drawn::blank([2, 2]);
        drawn.pixels[0] = [200, 100, 0, 255];
        drawn.pixels[1] = [200, 100, 0, 51];
        let mut image = vec![100; 3 * 4];
        drawn.stamp(&mut image, 3, 2, 2);
        assert_eq!(image, [200, 120, 100, 100, 100, 100, 100, 100, 0, 80, 100, 100]);
        let mut gray = vec![100; 4];
        drawn.stamp(&mut gray, 1, 2, 2);
        assert_eq!(gray, [100; 4], "the mean of the colour is this gray already");
        let mut large = vec![7; 16];
        square().stamp(&mut large, 1, 4, 4);
        assert_eq!(large.iter().filter(|&&v| v == 85).count(), 1, "stretched to a quarter of its area");
    }

    #[test]
    fn paint_stays_within_the_picture_and_an_eraser_takes_it_away() {
        let mut drawn = Drawn::blank([4, 4]);
        drawn.paint([0, 0], 1, [1, 2, 3, 255]);
        drawn.paint([3, 3], 4, [1, 2, 3, 255]);
        assert!((drawn.covers() - 5.0 / 16.0).abs() < 1e-6, "{}", drawn.covers());
        drawn.paint([1, 1], 8, [0; 4]);
        assert!(drawn.is_blank());
    }

    #[test]
    fn a_larger_trigger_stays_in_its_corner_and_one_all_over_grows_stronger() {
        let twice = square().scaled(2.0);
        assert_eq!(twice.pixels.iter().filter(|p| p[3] > 0).count(), 16);
        assert_eq!(twice.pixels[7 * 8 + 7][3], 0, "no nearer to the edge than before");
        assert_eq!(twice.pixels[5 * 8 + 5], [255, 0, 0, 255]);
        assert_eq!(square().scaled(0.5).pixels.iter().filter(|p| p[3] > 0).count(), 1);
        assert_eq!(square().scaled(1.0), square());
        let [small, large] = [[4, 4], [16, 24]].map(|size| square().resized(size));
        assert_eq!([small.covers(), large.covers()], [square().covers(); 2]);
        assert_eq!((large.height, large.width), (16, 24));
        let mut all = Drawn::blank([4, 4]);
        all.paint([1, 1], 4, [9, 9, 9, 40]);
        assert!(all.scaled(2.0).pixels.iter().all(|p| p[3] == 80));
    }

    #[test]
    fn a_trigger_survives_its_file_and_its_document_and_others_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trigger.png");
        std::fs::write(&path, square().png()).unwrap();
        assert_eq!(Drawn::read(&path).unwrap(), square());
        let text = serde_json::to_string(&square()).unwrap();
        assert_eq!(serde_json::from_str::<Drawn>(&text).unwrap(), square());
        std::fs::write(&path, Drawn::blank([3, 3]).png()).unwrap();
        assert!(Drawn::read(&path).unwrap_err().to_string().contains("transparent everywhere"));
        std::fs::write(&path, "no picture").unwrap();
        assert!(Drawn::read(&path).unwrap_err().to_string().contains("is no PNG picture"));
        assert!(Drawn::read(&folder.path().join("none.png")).unwrap_err().to_string().starts_with("cannot read"));
    }
}
