//! Sparse constants: from TensorFlow Lite's compressed levels to a dense array.
//!
//! The layout is TACO's: the dimensions are stored in a traversal order, each as a *dense* level
//! (every index is present) or a *compressed* one (`segments[parent]..segments[parent + 1]` is the
//! range of `indices` below that parent). Block dimensions follow the plain ones and subdivide those
//! named in the block map.

use super::flatbuffer::Table;
use crate::ModelError;

enum Level {
    Dense(usize),
    Compressed { segments: Vec<usize>, indices: Vec<usize> },
}

struct Layout {
    levels: Vec<Level>,
    /// How far one step on a level moves in the dense array.
    strides: Vec<usize>,
    extents: Vec<usize>,
}

/// Expands `values`, stored as `sparsity` says, to a dense row-major array of `shape`; what is not
/// stored is the default value.
pub(super) fn densify<T: Copy + Default>(
    tensor: usize,
    sparsity: &Table,
    shape: &[usize],
    values: &[T],
) -> Result<Vec<T>, ModelError> {
    let damaged = |reason| ModelError::Sparse { tensor, reason };
    let layout = Layout::read(sparsity, shape, tensor)?;
    let mut dense = vec![T::default(); shape.iter().product()];
    let mut entries = vec![(0usize, 0usize)];
    for (level, (&stride, &extent)) in
        layout.levels.iter().zip(layout.strides.iter().zip(&layout.extents))
    {
        let mut next = Vec::new();
        match level {
            Level::Dense(count) => {
                for &(parent, offset) in &entries {
                    next.extend((0..*count).map(|i| (parent * count + i, offset + i * stride)));
                }
            }
            Level::Compressed { segments, indices } => {
                for &(parent, offset) in &entries {
                    let [start, end] = *segments
                        .get(parent..parent + 2)
                        .ok_or(damaged("fewer segments than parents"))?
                    else {
                        return Err(damaged("fewer segments than parents"));
                    };
                    let stored = indices
                        .get(start..end)
                        .ok_or(damaged("a segment ends past the indices"))?;
                    for (i, &index) in stored.iter().enumerate() {
                        if index >= extent {
                            return Err(damaged("an index lies outside its dimension"));
                        }
                        next.push((start + i, offset + index * stride));
                    }
                }
            }
        }
        entries = next;
    }
    for (position, offset) in entries {
        dense[offset] = *values.get(position).ok_or(damaged("fewer values than indices"))?;
    }
    Ok(dense)
}

impl Layout {
    fn read(sparsity: &Table, shape: &[usize], tensor: usize) -> Result<Self, ModelError> {
        let damaged = |reason| ModelError::Sparse { tensor, reason };
        let rank = shape.len();
        let order = unsigned(&sparsity.i32_vector(0)?).ok_or(damaged("negative dimension"))?;
        let blocks = unsigned(&sparsity.i32_vector(1)?).ok_or(damaged("negative dimension"))?;
        let metadata = sparsity.table_vector(2)?;
        let mut seen = order.clone();
        seen.sort_unstable();
        if blocks.len() > rank || seen != (0..rank + blocks.len()).collect::<Vec<_>>() {
            return Err(damaged("the traversal order is not a permutation of the dimensions"));
        }
        if metadata.len() != order.len() {
            return Err(damaged("a dimension has no description"));
        }
        let mut block_extent = vec![1; rank];
        for (level, &dimension) in order.iter().enumerate().filter(|(_, d)| **d >= rank) {
            let blocked = *blocks
                .get(dimension - rank)
                .filter(|&&b| b < rank)
                .ok_or(damaged("a block subdivides no dimension"))?;
            let extent = usize::try_from(metadata[level].i32(1, 0)?).unwrap_or(0);
            if extent == 0 || !shape[blocked].is_multiple_of(extent) || block_extent[blocked] != 1 {
                return Err(damaged("a block does not divide its dimension"));
            }
            block_extent[blocked] = extent;
        }
        let mut levels = Vec::new();
        let mut strides = Vec::new();
        let mut extents = Vec::new();
        for (&dimension, metadata) in order.iter().zip(&metadata) {
            let (axis, within_block) = if dimension < rank {
                (dimension, false)
            } else {
                (blocks[dimension - rank], true)
            };
            let row = shape[axis + 1..].iter().product::<usize>();
            let (stride, extent) = if within_block {
                (row, block_extent[axis])
            } else {
                (row * block_extent[axis], shape[axis] / block_extent[axis])
            };
            levels.push(match metadata.i8(0, 0)? {
                0 => {
                    if usize::try_from(metadata.i32(1, 0)?) != Ok(extent) {
                        return Err(damaged("a dense level is not as long as its dimension"));
                    }
                    Level::Dense(extent)
                }
                1 => {
                    let segments = index_vector(metadata, 2)?.ok_or(damaged("no segments"))?;
                    let indices = index_vector(metadata, 4)?.ok_or(damaged("no indices"))?;
                    // Together with the checks on use this bounds the work by the file's size.
                    if !segments.is_sorted() {
                        return Err(damaged("segments are out of order"));
                    }
                    Level::Compressed { segments, indices }
                }
                _ => return Err(damaged("a level is neither dense nor compressed")),
            });
            strides.push(stride);
            extents.push(extent);
        }
        Ok(Self { levels, strides, extents })
    }
}

fn unsigned(values: &[i32]) -> Option<Vec<usize>> {
    values.iter().map(|&v| usize::try_from(v).ok()).collect()
}

/// The union of 32, 16 and 8 bit vectors whose type is in `slot` and whose table is in the next.
fn index_vector(metadata: &Table, slot: usize) -> Result<Option<Vec<usize>>, ModelError> {
    let Some(table) = metadata.table(slot + 1)? else { return Ok(None) };
    Ok(match metadata.i8(slot, 0)? {
        1 => unsigned(&table.i32_vector(0)?),
        2 => Some(table.u16_vector(0)?.into_iter().map(usize::from).collect()),
        3 => Some(table.byte_vector(0)?.iter().map(|&v| v.into()).collect()),
        _ => None,
    })
}
