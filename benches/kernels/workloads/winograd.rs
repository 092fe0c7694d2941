use super::{Aligned, Case, Shape, f16s, f32s, zeros};
use half::f16;
use kernels::features::Features;
use kernels::gemm::{Epilogue, Output, Rows};
use kernels::kernel::{Kernel, Row};
use kernels::winograd::{Convolution, Shape as Sizes, Value, Weights, WinogradRow, pick};

/// Halves may be this far from exact, root mean square; floats are nearer whatever the tile.
const LIMIT: f32 = 0.02;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    let fits = shape.operation == "convolution"
        && shape.size("kernel") == 3
        && ["stride", "dilation", "groups", "upsample"]
            .iter()
            .all(|size| shape.size_or(size, 1) == 1)
        && shape.paddings().iter().all(|&side| side <= 2);
    if !fits {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("f16") {
        cases.extend(of_element::<f16>(
            shape,
            features,
            |count| f16s(1, count),
            |values, stride| Output::F16 { values, stride },
        ));
    }
    if shape.wants("f32") {
        cases.extend(of_element::<f32>(
            shape,
            features,
            |count| f32s(1, count),
            |values, stride| Output::F32 { values, stride },
        ));
    }
    cases
}

fn of_element<E: Value>(
    shape: &Shape,
    features: Features,
    values: fn(usize) -> Aligned<E>,
    output: for<'a> fn(&'a mut [E], usize) -> Output<'a>,
) -> Vec<Case>
where
    WinogradRow<E>: Row,
{
    let sizes = Sizes {
        batch: 1,
        height: shape.size("height"),
        width: shape.size("width"),
        channels_in: shape.size("channels_in"),
        channels_out: shape.size("channels_out"),
        padding: shape.paddings(),
    };
    let picked = pick::<E>(features, &sizes, LIMIT).map(|kernel| kernel.identity().name);
    Kernel::<WinogradRow<E>>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, Some(name) == picked, move || {
                let (k, n) = (sizes.channels_in, sizes.channels_out);
                let input = values(sizes.height * sizes.width * k);
                let raw = f32s(2, 9 * k * n);
                let layout = kernel.layout();
                let mut panels = zeros::<E>(layout.packed_length(k, n));
                let at =
                    |u: usize, v: usize, c: usize, o: usize| raw[((u * 3 + v) * k + c) * n + o];
                kernel.pack(k, n, at, &mut panels);
                let bias = f32s(3, n);
                let tile_rows = kernel.tile_rows(&sizes);
                let mut y = zeros::<E>(kernel.pixels(&sizes, 0..tile_rows).len() * n);
                let mut scratch = zeros::<u8>(kernel.scratch_bytes(&sizes, tile_rows));
                move || {
                    let convolution = Convolution {
                        shape: sizes,
                        input: Rows { values: &input, stride: k },
                        weights: &Weights::new(&panels, layout, k, n),
                        epilogue: Epilogue { bias: Some(&bias), ..Epilogue::default() },
                        output: output(&mut y, n),
                    };
                    kernel.run(convolution, 0..tile_rows, &mut scratch);
                }
            })
        })
        .collect()
}
