//! What is worn: one piece for each place on the body.

use super::view::Catalogue;
use super::visit::Change;
use crate::garment::Category;

/// Places that a piece takes, one bit each.
fn places(category: Category) -> u8 {
    const TOP: u8 = 1;
    const OVER: u8 = 2;
    const LEGS: u8 = 4;
    match category {
        Category::TShirt | Category::LongSleeve | Category::Sleeveless => TOP,
        Category::Jacket => OVER,
        Category::Dress => TOP | LEGS,
        Category::Skirt | Category::Trousers => LEGS,
        Category::Hat => 8,
        Category::Eyeglasses => 16,
    }
}

/// Ids of the worn pieces, in the order they were put on.
#[derive(Debug, Default)]
pub struct Wardrobe {
    worn: Vec<String>,
}

impl Wardrobe {
    /// The worn pieces.
    pub fn worn(&self) -> &[String] {
        &self.worn
    }

    /// Whether nothing is worn.
    pub fn is_empty(&self) -> bool {
        self.worn.is_empty()
    }

    /// Takes a piece off.
    pub fn take_off(&mut self, id: &str) {
        self.worn.retain(|worn| worn != id);
    }

    /// Changes what is worn; pieces that the catalogue does not have are left alone.
    pub fn change(&mut self, change: &Change, catalogue: &Catalogue) {
        match change {
            Change::Nothing => self.worn.clear(),
            Change::Piece(id) if self.worn.contains(id) => self.take_off(id),
            Change::Piece(id) => self.put_on(id, catalogue),
            Change::Step(by) => self.step(*by, catalogue),
        }
    }

    fn put_on(&mut self, id: &str, catalogue: &Catalogue) {
        let category = |id: &str| catalogue.pieces.iter().find(|p| p.id == id).map(|p| p.category);
        let Some(new) = category(id) else { return };
        self.worn.retain(|worn| category(worn).is_some_and(|c| places(c) & places(new) == 0));
        self.worn.push(id.to_owned());
    }

    /// The neighbour, among pieces of its category, of the piece that was put on last; the first piece where nothing is worn.
    fn step(&mut self, by: i32, catalogue: &Catalogue) {
        let last = self.worn.last().and_then(|id| catalogue.pieces.iter().find(|p| &p.id == id));
        let Some(last) = last else {
            if let Some(first) = catalogue.pieces.first() {
                self.put_on(&first.id, catalogue);
            }
            return;
        };
        let alike: Vec<_> =
            catalogue.pieces.iter().filter(|piece| piece.category == last.category).collect();
        let at = alike.iter().position(|piece| piece.id == last.id).unwrap_or(0);
        let next = (at as i64 + i64::from(by)).rem_euclid(alike.len() as i64) as usize;
        if next != at {
            self.put_on(&alike[next].id, catalogue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::view::Piece;

    fn catalogue() -> Catalogue {
        let piece = |id: &str, category| Piece {
            id: id.into(),
            name: id.into(),
            category,
            thumbnail: std::sync::Arc::from([0u8].as_slice()),
        };
        let pieces = vec![
            piece("red", Category::TShirt),
            piece("blue", Category::TShirt),
            piece("gown", Category::Dress),
            piece("jeans", Category::Trousers),
            piece("denim", Category::Jacket),
            piece("cap", Category::Hat),
        ];
        Catalogue { version: 1, pieces, broken: Vec::new() }
    }

    fn worn(changes: &[Change]) -> Vec<String> {
        let mut wardrobe = Wardrobe::default();
        for change in changes {
            wardrobe.change(change, &catalogue());
        }
        wardrobe.worn
    }

    fn piece(id: &str) -> Change {
        Change::Piece(id.into())
    }

    #[test]
    fn a_piece_takes_the_place_of_what_it_covers() {
        assert_eq!(worn(&[piece("red"), piece("jeans"), piece("blue")]), ["jeans", "blue"]);
        assert_eq!(worn(&[piece("red"), piece("jeans"), piece("gown")]), ["gown"]);
        assert_eq!(worn(&[piece("gown"), piece("denim"), piece("cap")]), ["gown", "denim", "cap"]);
        assert_eq!(worn(&[piece("gown"), piece("jeans")]), ["jeans"]);
    }

    #[test]
    fn the_same_piece_again_comes_off_and_unknown_ones_do_nothing() {
        assert_eq!(worn(&[piece("red"), piece("red")]), [""; 0]);
        assert_eq!(worn(&[piece("red"), piece("no such")]), ["red"]);
        assert_eq!(worn(&[piece("red"), piece("cap"), Change::Nothing]), [""; 0]);
    }

    #[test]
    fn steps_go_round_within_the_category() {
        assert_eq!(worn(&[Change::Step(1)]), ["red"]);
        assert_eq!(worn(&[Change::Step(1), Change::Step(1)]), ["blue"]);
        assert_eq!(worn(&[Change::Step(1), Change::Step(-1)]), ["blue"]);
        assert_eq!(worn(&[piece("cap"), Change::Step(1)]), ["cap"]);
    }
}
