//! Rectangles and points, pixels of the screen.

/// A point of the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
}

/// A rectangle of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Columns.
    pub width: i32,
    /// Rows.
    pub height: i32,
}

impl Rect {
    /// A rectangle of a left and top edge and a size.
    pub fn new(x: i32, y: i32, width: i32, height: i32) -> Self {
        Self { x, y, width, height }
    }

    /// First column to the right of it.
    pub fn right(self) -> i32 {
        self.x + self.width
    }

    /// First row below it.
    pub fn bottom(self) -> i32 {
        self.y + self.height
    }

    /// Its middle.
    pub fn center(self) -> Point {
        Point {
            x: self.x as f32 + self.width as f32 / 2.0,
            y: self.y as f32 + self.height as f32 / 2.0,
        }
    }

    /// Whether a point lies in it.
    pub fn contains(self, point: Point) -> bool {
        let [x, y] = [point.x.floor() as i32, point.y.floor() as i32];
        (self.x..self.right()).contains(&x) && (self.y..self.bottom()).contains(&y)
    }

    /// What it shares with another; of no size where they share nothing.
    pub fn within(self, other: Self) -> Self {
        let [x, y] = [self.x.max(other.x), self.y.max(other.y)];
        Self {
            x,
            y,
            width: (self.right().min(other.right()) - x).max(0),
            height: (self.bottom().min(other.bottom()) - y).max(0),
        }
    }

    /// Whether it shares a pixel with another.
    pub fn touches(self, other: Self) -> bool {
        let shared = self.within(other);
        shared.width > 0 && shared.height > 0
    }

    /// Smaller by `by` on each side.
    pub fn inset(self, by: i32) -> Self {
        Self {
            x: self.x + by,
            y: self.y + by,
            width: (self.width - 2 * by).max(0),
            height: (self.height - 2 * by).max(0),
        }
    }

    /// Cuts `height` rows off the top, and `gap` rows that nobody gets.
    pub fn cut_top(&mut self, height: i32, gap: i32) -> Self {
        let cut = Self { height: height.min(self.height), ..*self };
        let taken = (height + gap).min(self.height);
        self.y += taken;
        self.height -= taken;
        cut
    }

    /// Cuts `height` rows off the bottom, and `gap` rows that nobody gets.
    pub fn cut_bottom(&mut self, height: i32, gap: i32) -> Self {
        let cut = Self {
            y: (self.bottom() - height).max(self.y),
            height: height.min(self.height),
            ..*self
        };
        self.height = (self.height - height - gap).max(0);
        cut
    }

    /// Cuts `width` columns off the right, and `gap` columns that nobody gets.
    pub fn cut_right(&mut self, width: i32, gap: i32) -> Self {
        let cut =
            Self { x: (self.right() - width).max(self.x), width: width.min(self.width), ..*self };
        self.width = (self.width - width - gap).max(0);
        cut
    }

    /// A rectangle of a size in the middle of this one.
    pub fn middle(self, width: i32, height: i32) -> Self {
        Self {
            x: self.x + (self.width - width) / 2,
            y: self.y + (self.height - height) / 2,
            width,
            height,
        }
    }
}
