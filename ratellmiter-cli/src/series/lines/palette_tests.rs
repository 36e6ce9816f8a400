//! The colors of lines and models with color vision deficiency.
//!
//! Deficiencies are simulated with the matrices for linear RGB of Machado, Oliveira and Fernandes, "A Physiologically-based Model
//! for Simulation of Color Vision Deficiency" (2009), severity 1. The difference is the Euclidean distance in CIELAB (1976) with
//! the white point D65, the contrast that of WCAG 2.1.

use super::*;

type Matrix = [[f64; 3]; 3];

const NORMAL: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const PROTANOPIA: Matrix =
    [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]];
const DEUTERANOPIA: Matrix =
    [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]];
const TO_XYZ: Matrix = [
    [0.412_456_4, 0.357_576_1, 0.180_437_5],
    [0.212_672_9, 0.715_152_2, 0.072_175],
    [0.019_333_9, 0.119_192, 0.950_304_1],
];
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

const LIGHT_PAPER: (u8, u8, u8) = (255, 255, 255);
const DARK_PAPER: (u8, u8, u8) = (24, 26, 32);

fn linear((red, green, blue): (u8, u8, u8)) -> [f64; 3] {
    [red, green, blue].map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn times(matrix: Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(one, other)| one * other).sum())
}

fn lab(color: (u8, u8, u8), vision: Matrix) -> [f64; 3] {
    let seen = times(vision, linear(color)).map(|channel| channel.clamp(0.0, 1.0));
    let xyz = times(TO_XYZ, seen);
    let [x, y, z] = [0, 1, 2].map(|axis| {
        let ratio = xyz[axis] / WHITE[axis];
        if ratio > 216.0 / 24_389.0 { ratio.cbrt() } else { (24_389.0 / 27.0 * ratio + 16.0) / 116.0 }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn difference(one: (u8, u8, u8), other: (u8, u8, u8), vision: Matrix) -> f64 {
    let squares = lab(one, vision).into_iter().zip(lab(other, vision)).map(|(one, other)| (one - other).powi(2));
    squares.sum::<f64>().sqrt()
}

fn contrast(color: (u8, u8, u8), paper: (u8, u8, u8)) -> f64 {
    let luminance = |color| times([[0.2126, 0.7152, 0.0722]; 3], linear(color))[0] + 0.05;
    let ratio = luminance(color) / luminance(paper);
    ratio.max(1.0 / ratio)
}

#[test]
fn formulas_match_known_values() {
    assert!((contrast((0, 0, 0), LIGHT_PAPER) - 21.0).abs() < 1e-9);
    let white = lab(LIGHT_PAPER, NORMAL);
    assert!((white[0] - 100.0).abs() < 0.01 && white[1].abs() < 0.01 && white[2].abs() < 0.01, "{white:?}");
    let red = lab((255, 0, 0), NORMAL);
    assert!(red.into_iter().zip([53.24, 80.09, 67.20]).all(|(one, other)| (one - other).abs() < 0.05), "{red:?}");
    // A green and a red that are nearly equal for deuteranopia.
    let similar = difference((62, 190, 88), (255, 92, 92), DEUTERANOPIA);
    assert!((similar - 3.5).abs() < 0.1, "{similar}");
}

#[test]
fn colors_differ_for_every_vision_and_from_the_paper() {
    let lines: Vec<_> = LINES.iter().map(|line| (line.name.to_owned(), line.color)).collect();
    let models = MODEL_COLORS.iter().enumerate().map(|(index, color)| (format!("model {index}"), *color));
    let models: Vec<_> = models.chain([("others".to_owned(), OTHERS_COLOR)]).collect();
    for colors in [&lines, &models] {
        for (index, (name, color)) in colors.iter().enumerate() {
            assert!(contrast(color.light, LIGHT_PAPER) >= 3.0, "{name}: {}", contrast(color.light, LIGHT_PAPER));
            assert!(contrast(color.dark, DARK_PAPER) >= 3.0, "{name}: {}", contrast(color.dark, DARK_PAPER));
            for (other_name, other) in &colors[..index] {
                for vision in [NORMAL, PROTANOPIA, DEUTERANOPIA] {
                    let differences =
                        [difference(color.light, other.light, vision), difference(color.dark, other.dark, vision)];
                    assert!(differences.iter().all(|each| *each >= 10.0), "{name}, {other_name}: {differences:?}");
                }
            }
        }
    }
}
