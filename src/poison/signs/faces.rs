//! The faces of the signs, in the order of [`NAMES`](super::NAMES), as layers of flat shapes.

use super::glyphs::write;
use super::shapes::{Colour, Layer, Point, Shape};

const WHITE: Colour = [0.96, 0.96, 0.95];
const BLACK: Colour = [0.06, 0.06, 0.07];
const RED: Colour = [0.80, 0.06, 0.10];
const BLUE: Colour = [0.04, 0.28, 0.68];
const YELLOW: Colour = [0.99, 0.76, 0.04];

/// Cosine and sine of 120 degrees, of 22.5 degrees and of 12 degrees.
const THIRD_TURN: Point = [-0.5, 0.866_025_4];
const OCTAGON: Point = [0.923_879_5, 0.382_683_43];
const ARC_STEP: Point = [0.978_147_6, 0.207_911_69];

/// Layers of the sign `label`, bottom first.
pub fn face(label: usize) -> Vec<Layer> {
    match label {
        0 => speed_limit("30"),
        1 => speed_limit("50"),
        2 => speed_limit("80"),
        3 => no_overtaking(),
        4 => priority_road(),
        5 => yield_way(),
        6 => stop(),
        7 => no_entry(),
        8 => danger(),
        9 => pedestrians(),
        10 => turn_right_ahead(),
        _ => roundabout(),
    }
}

fn disc(radius: f32, colour: Colour) -> Layer {
    Layer::new(colour, Shape::Disc { middle: [0.0, 0.0], radius })
}

fn polygon(corners: &[Point], round: f32, colour: Colour) -> Layer {
    Layer::new(colour, Shape::Polygon { corners: corners.to_vec(), round })
}

fn stroke(points: &[Point], half_width: f32, colour: Colour) -> Layer {
    Layer::new(colour, Shape::Stroke { points: points.to_vec(), half_width })
}

fn scaled<const N: usize>(points: [Point; N], by: f32) -> [Point; N] {
    points.map(|[x, y]| [x * by, y * by])
}

fn turned(p: Point, [cos, sin]: Point) -> Point {
    [cos * p[0] - sin * p[1], sin * p[0] + cos * p[1]]
}

fn prohibition() -> Vec<Layer> {
    vec![disc(1.0, WHITE), disc(0.96, RED), disc(0.70, WHITE)]
}

fn speed_limit(number: &str) -> Vec<Layer> {
    let mut layers = prohibition();
    layers.extend(write(number, [0.34, 0.68], 0.2, 0.085, BLACK));
    layers
}

fn no_overtaking() -> Vec<Layer> {
    let car = |x: f32, colour: Colour| {
        let at = |p: [Point; 4]| p.map(|[px, py]| [x + px, py]);
        [
            polygon(&at([[-0.23, -0.04], [0.23, -0.04], [0.23, 0.20], [-0.23, 0.20]]), 0.03, colour),
            polygon(&at([[-0.14, -0.29], [0.14, -0.29], [0.19, 0.0], [-0.19, 0.0]]), 0.03, colour),
            stroke(&[[x - 0.17, 0.22], [x - 0.17, 0.32]], 0.06, colour),
            stroke(&[[x + 0.17, 0.22], [x + 0.17, 0.32]], 0.06, colour),
        ]
    };
    let mut layers = prohibition();
    layers.extend(car(-0.32, RED));
    layers.extend(car(0.32, BLACK));
    layers
}

fn priority_road() -> Vec<Layer> {
    let diamond = [[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
    vec![
        polygon(&scaled(diamond, 0.94), 0.06, BLACK),
        polygon(&scaled(diamond, 0.90), 0.05, WHITE),
        polygon(&scaled(diamond, 0.62), 0.02, YELLOW),
    ]
}

/// An upright triangle with its middle of mass in the middle of the face.
const TRIANGLE: [Point; 3] = [[0.0, -0.98], [0.95, 0.66], [-0.95, 0.66]];

fn warning() -> Vec<Layer> {
    let down = |p: [Point; 3], by: f32| p.map(|[x, y]| [x, y + by]);
    vec![
        polygon(&down(scaled(TRIANGLE, 0.92), 0.08), 0.09, WHITE),
        polygon(&down(scaled(TRIANGLE, 0.92), 0.08), 0.06, RED),
        polygon(&down(scaled(TRIANGLE, 0.60), 0.10), 0.03, WHITE),
    ]
}

fn yield_way() -> Vec<Layer> {
    let turned = |p: [Point; 3]| p.map(|[x, y]| [-x, -y]);
    vec![
        polygon(&turned(scaled(TRIANGLE, 0.94)), 0.08, WHITE),
        polygon(&turned(scaled(TRIANGLE, 0.94)), 0.05, RED),
        polygon(&turned(scaled(TRIANGLE, 0.52)), 0.03, WHITE),
    ]
}

fn stop() -> Vec<Layer> {
    let [c, s] = OCTAGON;
    let octagon = [[c, s], [s, c], [-s, c], [-c, s], [-c, -s], [-s, -c], [s, -c], [c, -s]];
    let mut layers = vec![polygon(&scaled(octagon, 1.06), 0.0, WHITE), polygon(&scaled(octagon, 0.99), 0.0, RED)];
    layers.extend(write("STOP", [0.25, 0.52], 0.17, 0.062, WHITE));
    layers
}

fn no_entry() -> Vec<Layer> {
    let bar = [[-0.66, -0.16], [0.66, -0.16], [0.66, 0.16], [-0.66, 0.16]];
    vec![disc(1.0, WHITE), disc(0.96, RED), polygon(&bar, 0.03, WHITE)]
}

fn danger() -> Vec<Layer> {
    let mut layers = warning();
    layers.push(polygon(&[[-0.08, -0.28], [0.08, -0.28], [0.045, 0.16], [-0.045, 0.16]], 0.03, BLACK));
    layers.push(Layer::new(BLACK, Shape::Disc { middle: [0.0, 0.33], radius: 0.105 }));
    layers
}

fn pedestrians() -> Vec<Layer> {
    let mut layers = warning();
    layers.push(Layer::new(BLACK, Shape::Disc { middle: [0.02, -0.25], radius: 0.105 }));
    layers.push(stroke(&[[0.0, -0.06], [-0.02, 0.2]], 0.075, BLACK));
    layers.push(stroke(&[[-0.24, 0.16], [-0.02, -0.06], [0.22, 0.1]], 0.042, BLACK));
    layers.push(stroke(&[[-0.02, 0.2], [-0.10, 0.34], [-0.26, 0.45]], 0.052, BLACK));
    layers.push(stroke(&[[-0.02, 0.2], [0.10, 0.32], [0.17, 0.46]], 0.052, BLACK));
    layers
}

fn mandatory() -> Vec<Layer> {
    vec![disc(1.0, WHITE), disc(0.95, BLUE)]
}

fn turn_right_ahead() -> Vec<Layer> {
    let mut layers = mandatory();
    layers.push(polygon(
        &[
            [-0.50, 0.62],
            [-0.50, -0.34],
            [0.12, -0.34],
            [0.12, -0.60],
            [0.66, -0.20],
            [0.12, 0.20],
            [0.12, -0.06],
            [-0.20, -0.06],
            [-0.20, 0.62],
        ],
        0.0,
        WHITE,
    ));
    layers
}

fn roundabout() -> Vec<Layer> {
    let mut layers = mandatory();
    let mut start = [0.0, -0.52];
    for _ in 0..3 {
        // Traffic keeps to the right and turns counter-clockwise: y points down, so turn backwards.
        let mut arc = vec![start];
        for _ in 0..5 {
            let last = arc[arc.len() - 1];
            arc.push(turned(last, [ARC_STEP[0], -ARC_STEP[1]]));
        }
        let end = arc[arc.len() - 1];
        let ahead = [end[1] / 0.52, -end[0] / 0.52];
        let aside = [end[0] / 0.52, end[1] / 0.52];
        let corner = |forward: f32, out: f32| {
            [end[0] + forward * ahead[0] + out * aside[0], end[1] + forward * ahead[1] + out * aside[1]]
        };
        layers.push(stroke(&arc, 0.095, WHITE));
        layers.push(polygon(&[corner(0.0, 0.25), corner(0.33, -0.06), corner(-0.02, -0.26)], 0.0, WHITE));
        start = turned(start, THIRD_TURN);
    }
    layers
}
