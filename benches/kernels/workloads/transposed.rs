//! Transposed convolutions whose stride is their kernel, with a bias for each output channel; int8 filters take and give f16.

use super::{Aligned, Case, Shape, f16s, f32s, i8s, zeros};
use half::f16;
use kernels::features::Features;
use kernels::gemm::{Element, Epilogue, GemmRow, I8Rows, Output, Precision, Quantization, Rows};
use kernels::kernel::{Kernel, Row};
use kernels::transposed::{
    Transposed, TransposedFilters, TransposedGeometry, pack_transposed, transposed_sums,
};

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "transposed" || shape.size("stride") != shape.size("kernel") {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("i8") {
        cases.extend(rows(shape, features, i8_case));
    }
    if shape.wants("f32") {
        cases.extend(rows(shape, features, f32_case));
    }
    cases
}

fn rows<E: Element>(
    shape: &Shape,
    features: Features,
    case: fn(&Shape, TransposedGeometry, Kernel<GemmRow<E>>, bool) -> Case,
) -> Vec<Case>
where
    GemmRow<E>: Row,
{
    let [height, width, channels] = ["height", "width", "channels_in"].map(|name| shape.size(name));
    let geometry = TransposedGeometry {
        batch: 1,
        height,
        width,
        channels,
        channels_out: shape.size("channels_out"),
        kernel: [shape.size("kernel"); 2],
    };
    let pick = Kernel::<GemmRow<E>>::pick(features, channels).identity().name;
    Kernel::<GemmRow<E>>::supported(features)
        .map(|kernel| case(shape, geometry, kernel, kernel.identity().name == pick))
        .collect()
}

fn packed<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    geometry: &TransposedGeometry,
    random: fn(u64, usize) -> Aligned<E>,
) -> Aligned<E>
where
    GemmRow<E>: Row,
{
    let (channels, n) = (geometry.channels, geometry.channels_out);
    let filters = random(2, geometry.taps() * channels * n);
    let mut panels = zeros(TransposedFilters::<E>::packed_length(geometry, kernel.layout()));
    let at = |ky: usize, kx: usize, c: usize, column: usize| {
        filters[((ky * geometry.kernel[1] + kx) * channels + c) * n + column]
    };
    pack_transposed(geometry, kernel.layout(), at, &mut panels);
    panels
}

fn i8_case(
    shape: &Shape,
    geometry: TransposedGeometry,
    kernel: Kernel<GemmRow<i8>>,
    picked: bool,
) -> Case {
    Case::new(shape, kernel.identity().name, picked, move || {
        let TransposedGeometry { height, width, channels, channels_out: n, .. } = geometry;
        let (input, layout) = (f16s(1, height * width * channels), kernel.layout());
        let panels = packed(kernel, &geometry, i8s);
        let mut sums = zeros(TransposedFilters::<i8>::sums_length(&geometry, layout));
        transposed_sums(&geometry, layout, &panels, &mut sums);
        let (scales, bias) = (f32s(3, n), f32s(4, n));
        let mut output = zeros::<f16>(geometry.pixels(height) * n);
        let filters = TransposedFilters::new(&geometry, layout, &panels, &sums);
        let mut scratch = zeros(kernel.transposed_scratch_bytes(&filters));
        move || {
            let rows = Rows { values: &input[..], stride: channels };
            let precision = Precision::Tensor(Quantization { scale: 0.008, zero_point: 3 });
            let what = Transposed {
                filters: &TransposedFilters::new(&geometry, layout, &panels, &sums),
                rows: 0..height,
                epilogue: Epilogue {
                    scales: Some(&scales),
                    bias: Some(&bias),
                    ..Epilogue::default()
                },
                output: Output::F16 { values: &mut output, stride: n },
            };
            kernel.convolve_transposed(I8Rows::F16(rows, precision), what, &mut scratch);
        }
    })
}

fn f32_case(
    shape: &Shape,
    geometry: TransposedGeometry,
    kernel: Kernel<GemmRow<f32>>,
    picked: bool,
) -> Case {
    Case::new(shape, kernel.identity().name, picked, move || {
        let TransposedGeometry { height, width, channels, channels_out: n, .. } = geometry;
        let (input, layout) = (f32s(1, height * width * channels), kernel.layout());
        let (panels, bias) = (packed(kernel, &geometry, f32s), f32s(4, n));
        let mut output = zeros::<f32>(geometry.pixels(height) * n);
        let filters = TransposedFilters::new(&geometry, layout, &panels, &[]);
        let mut scratch = zeros(kernel.transposed_scratch_bytes(&filters));
        move || {
            let what = Transposed {
                filters: &TransposedFilters::new(&geometry, layout, &panels, &[]),
                rows: 0..height,
                epilogue: Epilogue { bias: Some(&bias), ..Epilogue::default() },
                output: Output::F32 { values: &mut output, stride: n },
            };
            let rows = Rows { values: &input[..], stride: channels };
            kernel.convolve_transposed(rows, what, &mut scratch);
        }
    })
}
