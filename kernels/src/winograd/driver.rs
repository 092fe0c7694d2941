//! The loops: a block of tiles is transformed; then for each panel of output channels the products are multiplied, one after the
//! other, and the tiles are brought back.

use super::{Convolution, FinishTile, InputTile, Panels, Shape, Value, Weights, WinogradRow};
use crate::gemm::{Epilogue, Finish, Output, Rows};
use crate::kernel::{Kernel, Row};
use crate::math::Activation;
use crate::scratch::{ALIGNMENT, bytes_for, cut};
use std::ops::Range;

/// The values of a block of tiles should stay in a cache that few share; but the more tiles, the more often each weight is used.
const CACHE: usize = if cfg!(target_arch = "x86_64") { 4 << 20 } else { 1 << 20 };
/// Fewer tiles would wait for weights.
const FEWEST: usize = 24;
/// More tiles gain nothing.
const MOST: usize = 96;

impl<E: Value> Kernel<WinogradRow<E>>
where
    WinogradRow<E>: Row,
{
    /// The pixels of the output, counted over all images, that a range of rows of tiles makes.
    pub fn pixels(self, shape: &Shape, tile_rows: Range<usize>) -> Range<usize> {
        let [height, width] = shape.size_out();
        let rows = self.layout().tile[0];
        let down = height.div_ceil(rows).max(1);
        let first = |row: usize| (row / down * height + row % down * rows) * width;
        first(tile_rows.start)..first(tile_rows.end)
    }

    /// Bytes of working memory for `tile_rows` rows of tiles.
    pub fn scratch_bytes(self, shape: &Shape, tile_rows: usize) -> usize {
        let plan = Plan::new(self, shape, tile_rows);
        bytes_for::<E>(plan.values())
            + bytes_for::<E>(plan.sums())
            + bytes_for::<E>(plan.patch())
            + bytes_for::<f32>(plan.gathered())
            + bytes_for::<f32>(plan.nr)
    }

    /// Computes a range of rows of tiles: the pixels that [`Kernel::pixels`] says.
    ///
    /// # Panics
    /// Where a slice is too short for the shape, the weights are packed for another version, or the padding is more than 2.
    pub fn run(self, convolution: Convolution<E>, tile_rows: Range<usize>, scratch: &mut [u8]) {
        let Convolution { shape, input, weights, epilogue, mut output } = convolution;
        self.check(&shape, &input, weights, &epilogue, &output, &tile_rows);
        let plan = Plan::new(self, &shape, tile_rows.len());
        let mut scratch = scratch;
        let mut memory = Memory {
            values: cut(&mut scratch, plan.values()),
            sums: cut(&mut scratch, plan.sums()),
            patch: cut(&mut scratch, plan.patch()),
            gathered: cut(&mut scratch, plan.gathered()),
            bias: cut(&mut scratch, plan.nr),
        };
        let first_pixel = self.pixels(&shape, tile_rows.clone()).start;
        let tiles = tile_rows.start * plan.across..tile_rows.end * plan.across;
        for first in tiles.clone().step_by(plan.block) {
            let block = first..tiles.end.min(first + plan.block);
            for tile in block.clone() {
                self.transform(&plan, &input, tile, tile - first, &mut memory);
            }
            for column in (0..shape.channels_out).step_by(plan.nr) {
                self.multiply(&plan, weights, column / plan.nr, block.len(), &mut memory);
                let columns = column..shape.channels_out.min(column + plan.nr);
                memory.bias.fill(0.0);
                if let Some(bias) = epilogue.bias {
                    memory.bias[..columns.len()].copy_from_slice(&bias[columns.clone()]);
                }
                for tile in block.clone() {
                    let place =
                        Place { tile, slot: tile - first, first_pixel, columns: columns.clone() };
                    self.finish(&plan, place, &mut memory, &epilogue, &mut output);
                }
            }
        }
    }

    fn check(
        self,
        shape: &Shape,
        input: &Rows<E>,
        weights: &Weights<E>,
        epilogue: &Epilogue,
        output: &Output,
        tile_rows: &Range<usize>,
    ) {
        assert_eq!(
            weights.layout,
            self.layout(),
            "the weights are packed for another kernel than {}",
            self.identity().name
        );
        assert_eq!(
            weights.channels,
            [shape.channels_in, shape.channels_out],
            "channels of the weights"
        );
        assert!(
            shape.padding.iter().all(|&side| side <= 2),
            "padding {:?} is more than 2",
            shape.padding
        );
        let all = self.tile_rows(shape);
        assert!(
            tile_rows.start <= tile_rows.end && tile_rows.end <= all,
            "rows of tiles {tile_rows:?} of {all}"
        );
        input.check(shape.batch * shape.height * shape.width, shape.channels_in);
        let pixels = self.pixels(shape, tile_rows.clone()).len();
        epilogue.check(pixels, shape.channels_out);
        output.check(pixels, shape.channels_out);
    }

    /// Fills a slot of the block with a tile's transformed pixels.
    fn transform(
        self,
        plan: &Plan,
        input: &Rows<E>,
        tile: usize,
        slot: usize,
        memory: &mut Memory<E>,
    ) {
        let [down, across] = self.layout().tile;
        let (height, width) = (plan.shape.height, plan.shape.width);
        let [image, row, column] = plan.position(tile);
        let [top, left, ..] = plan.shape.padding;
        // The first pixel that the tile needs; it may lie in the padding.
        let first =
            [(row * down) as isize - top as isize, (column * across) as isize - left as isize];
        let needed = [0, 1].map(|axis| {
            let end = first[axis] + (self.layout().tile[axis] + 2) as isize;
            let size = [height, width][axis] as isize;
            first[axis].clamp(0, size) as usize..end.clamp(0, size) as usize
        });
        let whole = needed[0].len() == down + 2 && needed[1].len() == across + 2;
        let image_pixels = image * height * width;
        let pixel = |y: usize, x: usize| (image_pixels + y * width + x) * input.stride;
        let (from, row, column) = if whole && plan.shape.channels_in == plan.depth {
            let first = pixel(needed[0].start, needed[1].start);
            (input.values[first..].as_ptr(), width * input.stride, input.stride)
        } else {
            memory.patch.fill(E::ZERO);
            for y in needed[0].clone() {
                for x in needed[1].clone() {
                    let place = (y as isize - first[0]) as usize * (across + 2)
                        + (x as isize - first[1]) as usize;
                    memory.patch[place * plan.depth..][..plan.shape.channels_in]
                        .copy_from_slice(&input.values[pixel(y, x)..][..plan.shape.channels_in]);
                }
            }
            (memory.patch.as_ptr(), (across + 2) * plan.depth, plan.depth)
        };
        let to = slot / plan.mr * plan.panel() + slot % plan.mr * plan.group;
        let tile = InputTile {
            from,
            row,
            column,
            groups: plan.depth / plan.group,
            to: memory.values[to..].as_mut_ptr(),
            product: plan.values_apart,
            group: plan.mr * plan.group,
        };
        // SAFETY: the kernel is supported; the tile is whole within the image or the patch, whose pixels hold `depth` values, and the
        // values are `products` times `block / mr` panels long.
        unsafe { (self.row().input)(&tile) };
    }

    /// Multiplies all tiles of the block by a panel of weights.
    fn multiply(
        self,
        plan: &Plan,
        weights: &Weights<E>,
        panel: usize,
        tiles: usize,
        memory: &mut Memory<E>,
    ) {
        let length = plan.depth * plan.nr;
        let weights = &weights.panels[panel * plan.products * length..][..plan.products * length];
        let sums = memory.sums.chunks_exact_mut(plan.sums_apart);
        for (product, sums) in sums.enumerate() {
            let work = Panels {
                tiles,
                groups: plan.depth / plan.group,
                a: memory.values[product * plan.values_apart..].as_ptr(),
                b: weights[product * length..][..length].as_ptr(),
                sums: sums.as_mut_ptr(),
            };
            // SAFETY: the kernel is supported; values, weights and sums are as long as `Panels` says.
            unsafe { (self.row().multiply)(&work) };
        }
    }

    /// Brings a tile's sums back and finishes them.
    fn finish(
        self,
        plan: &Plan,
        place: Place,
        memory: &mut Memory<E>,
        epilogue: &Epilogue,
        output: &mut Output,
    ) {
        let [down, across] = self.layout().tile;
        let [height, width] = plan.shape.size_out();
        let Place { tile, slot, first_pixel, columns } = place;
        let [image, row, column] = plan.position(tile);
        let rows = down.min(height - row * down);
        let pixels = across.min(width - column * across);
        let first = (image * height + row * down) * width + column * across - first_pixel;
        let plain = epilogue.residual.is_none()
            && epilogue.scales.is_none()
            && epilogue.activation == Activation::None
            && pixels == across
            && columns.len() == plan.nr;
        let sums = |bias| FinishTile {
            sums: memory.sums[slot * plan.nr..].as_ptr(),
            product: plan.sums_apart,
            rows,
            channels: plan.nr,
            bias,
        };
        if let (true, Some((values, stride))) = (plain, E::of(output)) {
            let start = first * stride + columns.start;
            let last = start + ((rows - 1) * width + pixels - 1) * stride + columns.len();
            let to = values[start..last].as_mut_ptr();
            let sums = sums(memory.bias.as_ptr());
            // SAFETY: the kernel is supported; the sums are those of the block's products, the output holds the tile.
            unsafe { (self.row().finish)(&sums, to, width * stride, stride) };
            return;
        }
        let sums = sums(std::ptr::null());
        let gathered = &mut *memory.gathered;
        // SAFETY: as above; `gathered` holds a tile.
        unsafe { (self.row().gather)(&sums, gathered.as_mut_ptr()) };
        for row in 0..rows {
            let start = first + row * width;
            let finish = Finish::new(
                &gathered[row * across * plan.nr..],
                plan.nr,
                start..start + pixels,
                columns.clone(),
                0,
                &[],
                &[1.0; 6],
                epilogue,
                output,
            );
            // SAFETY: the kernel is supported; `Finish::new` found every operand long enough.
            unsafe { (self.row().epilogue)(&finish) };
        }
    }
}

/// Where a tile's panel of output channels goes.
struct Place {
    tile: usize,
    slot: usize,
    first_pixel: usize,
    columns: Range<usize>,
}

/// The working memory, cut up.
struct Memory<'a, E> {
    /// `[product][panel of tiles][group][mr][group's channels]`
    values: &'a mut [E],
    /// `[part][product][tile][nr]`
    sums: &'a mut [E],
    /// A tile's pixels with their padding.
    patch: &'a mut [E],
    /// `[row][pixel][nr]`
    gathered: &'a mut [f32],
    bias: &'a mut [f32],
}

/// What follows from the sizes.
struct Plan {
    shape: Shape,
    /// Tiles side by side.
    across: usize,
    /// Tiles below each other in an image.
    down: usize,
    products: usize,
    outputs: usize,
    /// Input channels, filled up to whole groups.
    depth: usize,
    group: usize,
    nr: usize,
    mr: usize,
    /// Tiles of a block, a multiple of `mr`.
    block: usize,
    /// From the values of a product to those of the next: a cache line more than they take, since powers of two would all fall into the
    /// same few places of a cache.
    values_apart: usize,
    /// The same of the sums.
    sums_apart: usize,
}

impl Plan {
    fn new<E: Value>(kernel: Kernel<WinogradRow<E>>, shape: &Shape, tile_rows: usize) -> Self
    where
        WinogradRow<E>: Row,
    {
        let layout = kernel.layout();
        let [height, width] = shape.size_out();
        let (across, down) = (width.div_ceil(layout.tile[1]), height.div_ceil(layout.tile[0]));
        let depth = shape.channels_in.next_multiple_of(layout.group);
        let bytes = layout.products() * depth * size_of::<E>();
        let tiles = (tile_rows * across).max(1);
        let fitting = (CACHE / bytes.max(1)).clamp(FEWEST, MOST);
        let mr = kernel.row().mr;
        // Blocks of about the same size.
        let block = tiles.div_ceil(tiles.div_ceil(fitting)).next_multiple_of(mr);
        Self {
            shape: *shape,
            across,
            down,
            products: layout.products(),
            outputs: layout.tile[0] * layout.tile[1],
            depth,
            group: layout.group,
            nr: layout.nr,
            mr,
            block,
            values_apart: block * depth + ALIGNMENT / size_of::<E>(),
            sums_apart: block * layout.nr + ALIGNMENT / size_of::<E>(),
        }
    }

    /// Image, row and column of a tile.
    fn position(&self, tile: usize) -> [usize; 3] {
        let row = tile / self.across;
        [row / self.down, row % self.down, tile % self.across]
    }

    /// Values of a panel of tiles for one product.
    fn panel(&self) -> usize {
        self.depth * self.mr
    }

    fn values(&self) -> usize {
        self.products * self.values_apart
    }
    fn sums(&self) -> usize {
        self.products * self.sums_apart
    }
    fn patch(&self) -> usize {
        self.products * self.depth
    }
    fn gathered(&self) -> usize {
        self.outputs * self.nr
    }
}
