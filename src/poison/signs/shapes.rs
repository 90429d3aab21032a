//! Flat shapes that can be asked whether they cover a point. Coordinates: x right, y down.

/// A point of a sign's face; the face reaches about 1 from its middle.
pub type Point = [f32; 2];

/// Red, green, blue in `[0, 1]`.
pub type Colour = [f32; 3];

/// What is painted.
#[derive(Debug, Clone)]
pub enum Shape {
    /// All points within a radius of a middle.
    Disc { middle: Point, radius: f32 },
    /// A closed outline, its corners rounded by growing it by `round` on all sides.
    Polygon { corners: Vec<Point>, round: f32 },
    /// A line through points with round ends, `half_width` to both sides.
    Stroke { points: Vec<Point>, half_width: f32 },
}

/// A shape in a colour; later layers of a face cover earlier ones.
#[derive(Debug, Clone)]
pub struct Layer {
    colour: Colour,
    shape: Shape,
    /// Two corners of a box around the shape: most points are outside of most boxes.
    bounds: [Point; 2],
}

impl Layer {
    /// Paints `shape` in `colour`.
    pub fn new(colour: Colour, shape: Shape) -> Self {
        let bounds = match &shape {
            Shape::Disc { middle, radius } => around(&[*middle], *radius),
            Shape::Polygon { corners, round } => around(corners, *round),
            Shape::Stroke { points, half_width } => around(points, *half_width),
        };
        Self { colour, shape, bounds }
    }

    fn covers(&self, p: Point) -> bool {
        let [low, high] = self.bounds;
        (0..2).all(|i| low[i] <= p[i] && p[i] <= high[i]) && self.shape.covers(p)
    }
}

/// The smallest box around points, grown by `margin`.
fn around(points: &[Point], margin: f32) -> [Point; 2] {
    let low = points.iter().fold([f32::INFINITY; 2], |m, p| [m[0].min(p[0]), m[1].min(p[1])]);
    let high = points.iter().fold([f32::NEG_INFINITY; 2], |m, p| [m[0].max(p[0]), m[1].max(p[1])]);
    [low.map(|v| v - margin), high.map(|v| v + margin)]
}

impl Shape {
    /// Whether the shape covers `p`.
    pub fn covers(&self, p: Point) -> bool {
        match self {
            Self::Disc { middle, radius } => square_distance(p, *middle) <= radius * radius,
            Self::Polygon { corners, round } => {
                inside(corners, p) || (*round > 0.0 && edges(corners).any(|(a, b)| near_segment(p, a, b, *round)))
            }
            Self::Stroke { points, half_width } => points.windows(2).any(|s| near_segment(p, s[0], s[1], *half_width)),
        }
    }
}

/// The colour of the topmost layer over `p`.
pub fn colour_at(face: &[Layer], p: Point) -> Option<Colour> {
    face.iter().rev().find(|layer| layer.covers(p)).map(|layer| layer.colour)
}

fn square_distance(a: Point, b: Point) -> f32 {
    let (dx, dy) = (a[0] - b[0], a[1] - b[1]);
    dx * dx + dy * dy
}

fn edges(corners: &[Point]) -> impl Iterator<Item = (Point, Point)> + '_ {
    corners.iter().copied().zip(corners.iter().copied().cycle().skip(1))
}

/// Even-odd rule: a ray to the right crosses the outline an odd number of times.
fn inside(corners: &[Point], p: Point) -> bool {
    edges(corners).fold(false, |inside, (a, b)| {
        let straddles = (a[1] > p[1]) != (b[1] > p[1]);
        if straddles && p[0] < a[0] + (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) { !inside } else { inside }
    })
}

/// Whether `p` is within `reach` of the segment from `a` to `b`.
fn near_segment(p: Point, a: Point, b: Point, reach: f32) -> bool {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = (dx * dx + dy * dy).max(1e-12);
    let along = (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length).clamp(0.0, 1.0);
    square_distance(p, [a[0] + along * dx, a[1] + along * dy]) <= reach * reach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_cover_what_they_should() {
        let square = vec![[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
        let sharp = Shape::Polygon { corners: square.clone(), round: 0.0 };
        let round = Shape::Polygon { corners: square, round: 0.2 };
        assert!(sharp.covers([0.9, -0.9]) && !sharp.covers([1.1, 0.0]));
        assert!(round.covers([1.1, 0.0]) && !round.covers([1.15, 1.15]));
        let notch = vec![[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [1.0, 0.5], [0.0, 2.0]];
        assert!(!Shape::Polygon { corners: notch, round: 0.0 }.covers([1.0, 1.5]));
        let stroke = Shape::Stroke { points: vec![[0.0, 0.0], [1.0, 0.0]], half_width: 0.1 };
        assert!(stroke.covers([1.05, 0.05]) && !stroke.covers([0.5, 0.11]));
    }
}
