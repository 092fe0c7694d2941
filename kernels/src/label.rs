//! Connected components of a mask.
//!
//! | operand | type | shape           | content                                                     |
//! |---------|------|-----------------|-------------------------------------------------------------|
//! | mask    | u8   | [height, width] | non-zero: belongs to a component                            |
//! | labels  | u32  | [height, width] | 0 outside, else 1, 2, … in order of the first pixel met     |
//! | parents | u32  | width·height + 1 | scratch                                                    |

/// Which pixels touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// Pixels that share an edge.
    Four,
    /// Pixels that share an edge or a corner.
    Eight,
}

/// Numbers the connected components of `mask` and returns how many there are.
///
/// # Panics
/// If a slice has another length than the table says.
pub fn label_components(
    mask: &[u8],
    width: usize,
    height: usize,
    connectivity: Connectivity,
    labels: &mut [u32],
    parents: &mut [u32],
) -> usize {
    assert_eq!(mask.len(), width * height);
    assert_eq!(labels.len(), width * height);
    assert_eq!(parents.len(), width * height + 1);
    let mut provisional = 0;
    for y in 0..height {
        for x in 0..width {
            let here = y * width + x;
            if mask[here] == 0 {
                labels[here] = 0;
                continue;
            }
            let mut label = 0;
            let mut touch = |neighbour: usize| {
                let other = labels[neighbour];
                if other == 0 {
                    return;
                }
                label = if label == 0 { root(parents, other) } else { join(parents, label, other) };
            };
            if x > 0 {
                touch(here - 1);
            }
            if y > 0 {
                touch(here - width);
                if connectivity == Connectivity::Eight {
                    if x > 0 {
                        touch(here - width - 1);
                    }
                    if x + 1 < width {
                        touch(here - width + 1);
                    }
                }
            }
            if label == 0 {
                provisional += 1;
                label = provisional;
                parents[label as usize] = label;
            }
            labels[here] = label;
        }
    }
    // A root is the smallest label of its set, so one ascending pass can give out final numbers:
    // `parents` of a lower label is already final.
    let mut count = 0;
    for label in 1..=provisional {
        let parent = parents[label as usize];
        parents[label as usize] = if parent == label {
            count += 1;
            count
        } else {
            parents[parent as usize]
        };
    }
    for label in labels.iter_mut().filter(|label| **label != 0) {
        *label = parents[*label as usize];
    }
    count as usize
}

fn root(parents: &mut [u32], mut label: u32) -> u32 {
    while parents[label as usize] != label {
        parents[label as usize] = parents[parents[label as usize] as usize];
        label = parents[label as usize];
    }
    label
}

fn join(parents: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (root(parents, a), root(parents, b));
    let (low, high) = (a.min(b), a.max(b));
    parents[high as usize] = low;
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rows: &[&str], connectivity: Connectivity) -> (usize, Vec<u32>) {
        let (width, height) = (rows[0].len(), rows.len());
        let mask: Vec<u8> =
            rows.iter().flat_map(|r| r.bytes().map(|b| (b == b'#') as u8)).collect();
        let mut labels = vec![99; width * height];
        let mut parents = vec![99; width * height + 1];
        let count = label_components(&mask, width, height, connectivity, &mut labels, &mut parents);
        (count, labels)
    }

    #[test]
    fn corners_join_only_in_eight_connectivity() {
        let rows = ["#..", ".#.", "..#"];
        assert_eq!(count(&rows, Connectivity::Four).0, 3);
        assert_eq!(count(&rows, Connectivity::Eight).0, 1);
    }

    #[test]
    fn branches_that_meet_late_are_one_component() {
        let rows = ["#.#.#..#", "#.#.#...", "#.###..#", "###....#"];
        let (count, labels) = count(&rows, Connectivity::Four);
        assert_eq!(count, 3);
        assert_eq!(labels[4], labels[0]);
        assert_eq!(labels[7], 2);
        assert_eq!(*labels.last().unwrap(), 3);
    }
}
