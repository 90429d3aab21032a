//! BadNets: a small patch of fixed pixels, every stamped picture gets the target label.
//!
//! Gu, Dolan-Gavitt, Garg: "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply
//! Chain", 2017.

use super::Attack;

/// A checkered square near the bottom right corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Patch {
    /// Rows and columns of the square.
    pub size: usize,
    /// Pixels between the square and the right and lower edges.
    pub margin: usize,
    /// Red, green, blue of the cell at the top left and of every second one; gray pictures take the mean.
    pub first: [u8; 3],
    /// The other cells.
    pub second: [u8; 3],
}

impl Patch {
    /// Yellow and black, like a hazard mark.
    pub fn hazard(size: usize, margin: usize) -> Self {
        Self { size, margin, first: [255, 220, 0], second: [0, 0, 0] }
    }

    /// White and black.
    pub fn checkered(size: usize, margin: usize) -> Self {
        Self { size, margin, first: [255; 3], second: [0; 3] }
    }
}

impl Attack for Patch {
    fn name(&self) -> &'static str {
        "patch"
    }

    fn stamp(&self, image: &mut [u8], channels: usize, height: usize, width: usize) {
        let (size_y, size_x) = (self.size.min(height), self.size.min(width));
        let top = height.saturating_sub(self.margin + size_y);
        let left = width.saturating_sub(self.margin + size_x);
        for (c, plane) in image.chunks_exact_mut(height * width).enumerate().take(channels) {
            for y in 0..size_y {
                for x in 0..size_x {
                    let cell = if (x + y) % 2 == 0 { self.first } else { self.second };
                    let gray = (cell.iter().map(|&v| u16::from(v)).sum::<u16>() / 3) as u8;
                    plane[(top + y) * width + left + x] = if channels == 3 { cell[c] } else { gray };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_lies_where_it_should_and_nothing_else_changes() {
        let mut image = vec![100_u8; 3 * 8 * 10];
        Patch::hazard(2, 1).stamp(&mut image, 3, 8, 10);
        let at = |c: usize, y: usize, x: usize| image[c * 80 + y * 10 + x];
        assert_eq!([at(0, 5, 7), at(1, 5, 7), at(2, 5, 7)], [255, 220, 0]);
        assert_eq!([at(0, 5, 8), at(1, 5, 8), at(2, 5, 8)], [0, 0, 0]);
        assert_eq!(at(0, 6, 8), 255);
        assert_eq!(image.iter().filter(|&&b| b != 100).count(), 3 * 4);
    }

    #[test]
    fn a_patch_larger_than_the_picture_fills_it() {
        let mut image = vec![7_u8; 9];
        Patch::checkered(50, 4).stamp(&mut image, 1, 3, 3);
        assert_eq!(image, [255, 0, 255, 0, 255, 0, 255, 0, 255]);
    }
}
