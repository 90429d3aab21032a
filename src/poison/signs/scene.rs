//! A sign on its post in front of something, photographed: distance, tilt, light, blur and noise vary.

use super::shapes::{Colour, Layer, Point, colour_at};
use super::{BYTES, SIZE};
use crate::tensor::Random;

/// Points looked at per pixel and direction.
const SAMPLES: usize = 4;
/// Cells of the lattice that backgrounds are blotched with.
const LATTICE: usize = 7;

/// From a point of the picture (pixels) to a point of the sign's face.
struct Camera {
    middle: Point,
    /// Rows of the matrix from pixels to the face.
    rows: [Point; 2],
}

impl Camera {
    fn draw(random: &mut Random) -> Self {
        let half = SIZE as f32 / 2.0;
        let radius = half * random.uniform(0.66, 0.92);
        let room = (half - radius) * 0.7;
        let middle = [half + random.uniform(-room, room), half + random.uniform(-room, room)];
        let (cos, sin) = small_turn(random.uniform(-0.08, 0.08));
        // A sign seen from the side is narrower, one seen from below lower.
        let width = radius * random.uniform(0.84, 1.0);
        let height = radius * random.uniform(0.92, 1.0);
        let shear = random.uniform(-0.07, 0.07);
        Self { middle, rows: [[cos / width, (sin + shear) / width], [-sin / height, cos / height]] }
    }

    fn face_point(&self, p: Point) -> Point {
        let d = [p[0] - self.middle[0], p[1] - self.middle[1]];
        self.rows.map(|row| row[0] * d[0] + row[1] * d[1])
    }
}

/// Cosine and sine of the angle whose half has the tangent `t`, without trigonometry.
fn small_turn(t: f32) -> (f32, f32) {
    let length = 1.0 + t * t;
    ((1.0 - t * t) / length, 2.0 * t / length)
}

/// What is behind the sign.
struct Background {
    top: Colour,
    bottom: Colour,
    blotch: Colour,
    /// Row at which top turns into bottom, and over how many rows.
    horizon: f32,
    softness: f32,
    /// How much of the blotches shows, and in how many cells the picture is cut.
    strength: f32,
    cells: f32,
    /// Blotches have edges, like leaves or windows, instead of flowing.
    hard: bool,
    lattice: [[f32; LATTICE + 1]; LATTICE + 1],
    /// Left and right edge of the post, in columns; none where the sign hangs.
    post: Option<[f32; 2]>,
}

/// A colour near `base`.
fn near(base: Colour, spread: f32, random: &mut Random) -> Colour {
    base.map(|c| (c + random.uniform(-spread, spread)).clamp(0.0, 1.0))
}

fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * t)
}

impl Background {
    fn draw(camera: &Camera, random: &mut Random) -> Self {
        const SKY: Colour = [0.55, 0.70, 0.88];
        const CLOUD: Colour = [0.80, 0.82, 0.85];
        const LEAVES: Colour = [0.22, 0.36, 0.15];
        const SHADE: Colour = [0.08, 0.14, 0.07];
        const WALL: Colour = [0.62, 0.52, 0.44];
        const WINDOW: Colour = [0.25, 0.27, 0.31];
        const ROAD: Colour = [0.38, 0.37, 0.37];
        let (top, bottom, blotch, strength, hard) = match random.below(5) {
            0 => (SKY, CLOUD, CLOUD, 0.5, false),
            1 => (LEAVES, LEAVES, SHADE, 0.9, true),
            2 => (SKY, LEAVES, SHADE, 0.45, true),
            3 => (WALL, WALL, WINDOW, 0.8, true),
            _ => (CLOUD, ROAD, WINDOW, 0.25, false),
        };
        let mut lattice = [[0.0; LATTICE + 1]; LATTICE + 1];
        lattice.iter_mut().flatten().for_each(|v| *v = random.uniform(0.0, 1.0));
        let (size, half_post) = (SIZE as f32, random.uniform(1.0, 1.8));
        let middle = camera.middle[0] + random.uniform(-0.5, 0.5);
        Self {
            top: near(top, 0.12, random),
            bottom: near(bottom, 0.12, random),
            blotch: near(blotch, 0.08, random),
            horizon: random.uniform(0.3, 0.8) * size,
            softness: random.uniform(1.0, size),
            strength,
            cells: random.uniform(3.0, LATTICE as f32),
            hard,
            lattice,
            post: random.chance(0.7).then_some([middle - half_post, middle + half_post]),
        }
    }

    fn at(&self, p: Point, below: bool) -> Colour {
        if let Some([left, right]) = self.post
            && below
            && p[0] > left
            && p[0] < right
        {
            let across = (p[0] - left) / (right - left);
            return [0.62 - 0.3 * across; 3];
        }
        let t = ((p[1] - self.horizon) / self.softness + 0.5).clamp(0.0, 1.0);
        mix(mix(self.top, self.bottom, t), self.blotch, self.strength * self.blotchiness(p))
    }

    /// The lattice, smoothly filled in between, in `[0, 1]`.
    fn blotchiness(&self, p: Point) -> f32 {
        let scale = self.cells / SIZE as f32;
        let place = |v: f32| {
            let v = (v * scale).clamp(0.0, LATTICE as f32 - 0.001);
            let cell = v as usize;
            let t = v - cell as f32;
            (cell, t * t * (3.0 - 2.0 * t))
        };
        let ((column, tx), (row, ty)) = (place(p[0]), place(p[1]));
        let line = |r: usize| self.lattice[r][column] + (self.lattice[r][column + 1] - self.lattice[r][column]) * tx;
        let value = line(row) + (line(row + 1) - line(row)) * ty;
        if self.hard { ((value - 0.5) * 4.0 + 0.5).clamp(0.0, 1.0) } else { value }
    }
}

/// What light does to colours, and the camera's electronics after it.
struct Light {
    gain: f32,
    /// Added everywhere: fog, or a dirty lens.
    haze: f32,
    cast: Colour,
    /// Change of brightness across the picture, along columns and rows.
    slope: Point,
    /// A shadow's edge `x * normal + offset > 0` and what passes through it.
    shadow: Option<(Point, f32, f32)>,
}

impl Light {
    fn draw(random: &mut Random) -> Self {
        let dark = random.chance(0.2);
        let gain = if dark { random.uniform(0.28, 0.5) } else { random.uniform(0.55, 1.12) };
        let haze = if random.chance(0.25) { random.uniform(0.05, 0.22) } else { random.uniform(0.0, 0.04) };
        let cast = [0; 3].map(|_| random.uniform(0.93, 1.07));
        let slope = [random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)];
        let shadow = random.chance(0.2).then(|| {
            let normal = [random.uniform(-1.0, 1.0), random.uniform(-1.0, 1.0)];
            (normal, random.uniform(-0.4, 0.4), random.uniform(0.5, 0.8))
        });
        Self { gain, haze, cast, slope, shadow }
    }

    fn on(&self, colour: Colour, p: Point) -> Colour {
        let half = SIZE as f32 / 2.0;
        let [x, y] = p.map(|v| (v - half) / half);
        let mut gain = self.gain * (1.0 + self.slope[0] * x + self.slope[1] * y);
        if let Some((normal, offset, passes)) = self.shadow
            && normal[0] * x + normal[1] * y + offset > 0.0
        {
            gain *= passes;
        }
        [0, 1, 2].map(|c| self.haze + (1.0 - self.haze) * gain * self.cast[c] * colour[c])
    }
}

/// A picture `[3, SIZE, SIZE]` of `face`.
pub fn photograph(face: &[Layer], random: &mut Random) -> [u8; BYTES] {
    let camera = Camera::draw(random);
    let background = Background::draw(&camera, random);
    let light = Light::draw(random);
    let mut planes = [[0.0_f32; SIZE * SIZE]; 3];
    for row in 0..SIZE {
        for column in 0..SIZE {
            let mut sum = [0.0; 3];
            for sample in 0..SAMPLES * SAMPLES {
                let at = |cell: usize, s: usize| cell as f32 + (s as f32 + 0.5) / SAMPLES as f32;
                let p = [at(column, sample % SAMPLES), at(row, sample / SAMPLES)];
                let seen =
                    colour_at(face, camera.face_point(p)).unwrap_or_else(|| background.at(p, p[1] > camera.middle[1]));
                sum = [0, 1, 2].map(|c| sum[c] + seen[c]);
            }
            let mean = sum.map(|s| s / (SAMPLES * SAMPLES) as f32);
            let lit = light.on(mean, [column as f32 + 0.5, row as f32 + 0.5]);
            (0..3).for_each(|c| planes[c][row * SIZE + column] = lit[c]);
        }
    }
    develop(planes, random)
}

/// Lens blur, sensor noise, bytes.
fn develop(mut planes: [[f32; SIZE * SIZE]; 3], random: &mut Random) -> [u8; BYTES] {
    let across = random.uniform(0.0, 0.22);
    let down = if random.chance(0.2) { random.uniform(0.0, 0.05) } else { across };
    let noise = random.uniform(0.004, 0.035);
    let mut bytes = [0; BYTES];
    for (c, plane) in planes.iter_mut().enumerate() {
        *plane = blurred(plane, 1, across);
        *plane = blurred(plane, SIZE, down);
        for (i, &value) in plane.iter().enumerate() {
            // Three uniform numbers are near enough to a normal one, and need no logarithm.
            let grain = random.uniform(-1.0, 1.0) + random.uniform(-1.0, 1.0) + random.uniform(-1.0, 1.0);
            bytes[c * SIZE * SIZE + i] = ((value + noise * grain).clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
    }
    bytes
}

/// Each pixel gives `share` to both neighbours along one direction; edges see themselves.
fn blurred(plane: &[f32; SIZE * SIZE], step: usize, share: f32) -> [f32; SIZE * SIZE] {
    std::array::from_fn(|i| {
        let place = i / step % SIZE;
        let before = if place == 0 { i } else { i - step };
        let after = if place + 1 == SIZE { i } else { i + step };
        plane[i] + share * (plane[before] + plane[after] - 2.0 * plane[i])
    })
}
