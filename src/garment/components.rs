//! The connected parts of a mask, and the box of each.

pub use kernels::label::Connectivity;
use kernels::label::label_components;

/// Which part each pixel belongs to.
pub struct Components {
    /// 0 outside the mask, else one more than the index into `regions`.
    pub labels: Vec<u32>,
    pub regions: Vec<Region>,
}

/// The size of a part and the box around it, borders included.
#[derive(Clone, Copy)]
pub struct Region {
    pub area: usize,
    pub left: usize,
    pub right: usize,
    pub top: usize,
    pub bottom: usize,
}

impl Components {
    pub fn of(mask: &[u8], width: usize, height: usize, connectivity: Connectivity) -> Self {
        let mut labels = vec![0; mask.len()];
        let mut parents = vec![0; mask.len() + 1];
        let count = label_components(mask, width, height, connectivity, &mut labels, &mut parents);
        let empty = Region { area: 0, left: usize::MAX, right: 0, top: usize::MAX, bottom: 0 };
        let mut regions = vec![empty; count];
        for (i, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
            let (x, y) = (i % width, i / width);
            let region = &mut regions[label as usize - 1];
            region.area += 1;
            region.left = region.left.min(x);
            region.right = region.right.max(x);
            region.top = region.top.min(y);
            region.bottom = region.bottom.max(y);
        }
        Self { labels, regions }
    }
}

impl Region {
    pub fn touches_border(&self, width: usize, height: usize) -> bool {
        self.left == 0 || self.top == 0 || self.right + 1 == width || self.bottom + 1 == height
    }
}
