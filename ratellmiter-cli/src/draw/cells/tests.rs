//! Tests of `cells`.

use super::*;

#[test]
fn nearest_of_256_colors_is_found() {
    for (color, index) in
        [([0, 0, 0], 16), ([255, 255, 255], 231), ([255, 0, 0], 196), ([95, 135, 175], 67), ([60, 60, 62], 237)]
    {
        assert_eq!(indexed(color), index, "{color:?}");
    }
}

#[test]
fn text_is_shortened_by_cells_not_characters() {
    assert_eq!(fit("gpt-4o", 6), "gpt-4o");
    assert_eq!(fit("gpt-4o", 5), "gpt-…");
    assert_eq!(fit("模型模型", 6), "模型…");
    assert_eq!(fit("模型", 2), "…");
    assert_eq!(fit("模型", 0), "");
}
