//! Convolutions with a bias for each output channel. Those with int8 filters take and give f16: quantizing the image and
//! giving values back are part of the layer.

use super::{Aligned, Case, Shape, bell_i8s, f16s, f32s, zeros};
use half::f16;
use kernels::convolution::{Convolution, Filters, Geometry, filter_sums, pack_filters};
use kernels::features::Features;
use kernels::gemm::{Element, Epilogue, GemmRow, I8Rows, Output, Precision, Quantization, Rows};
use kernels::kernel::{Kernel, Row};
use kernels::layouts::Layouts;

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "convolution" {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("i8") {
        cases.extend(rows(shape, features, |pick, _| pick, i8_case));
    }
    if shape.wants("f16") {
        cases.extend(rows(shape, features, |pick, _| pick, f16_case));
    }
    if shape.wants("f32") {
        let layouts = Layouts::here(features);
        let few = |pick, columns| {
            let layout = layouts.few_f32(columns);
            Kernel::<GemmRow<f32>>::with_layout(layout, features).unwrap_or(pick)
        };
        cases.extend(rows(shape, features, few, f32_case));
    }
    cases
}

fn geometry(shape: &Shape) -> Geometry {
    let [height, width, channels] = ["height", "width", "channels_in"].map(|name| shape.size(name));
    Geometry {
        stride: [shape.size_or("stride", 1); 2],
        dilation: [shape.size_or("dilation", 1); 2],
        padding: shape.paddings(),
        groups: shape.size_or("groups", 1),
        upsample: shape.size_or("upsample", 1),
        ..Geometry::new(
            [shape.size_or("batch", 1), height, width, channels],
            shape.size("channels_out"),
            shape.size("kernel"),
        )
    }
}

fn rows<E: Element>(
    shape: &Shape,
    features: Features,
    pick: impl Fn(Kernel<GemmRow<E>>, usize) -> Kernel<GemmRow<E>>,
    case: fn(&Shape, Geometry, Kernel<GemmRow<E>>, bool) -> Case,
) -> Vec<Case>
where
    GemmRow<E>: Row,
{
    let geometry = geometry(shape);
    let k = geometry.taps() * geometry.depth();
    let pick = pick(Kernel::<GemmRow<E>>::pick(features, k), geometry.channels_out).identity().name;
    Kernel::<GemmRow<E>>::supported(features)
        .map(|kernel| case(shape, geometry, kernel, kernel.identity().name == pick))
        .collect()
}

fn inputs(geometry: &Geometry) -> usize {
    geometry.batch * geometry.height * geometry.width * geometry.channels
}

fn packed<E: Element>(
    kernel: Kernel<GemmRow<E>>,
    geometry: &Geometry,
    random: fn(u64, usize) -> Aligned<E>,
) -> Aligned<E>
where
    GemmRow<E>: Row,
{
    let ([height, width], depth) = (geometry.kernel, geometry.depth());
    let filters = random(2, geometry.channels_out * height * width * depth);
    let mut panels = zeros(Filters::<E>::packed_length(geometry, kernel.layout()));
    let at = |n: usize, ky: usize, kx: usize, c: usize| {
        filters[((n * height + ky) * width + kx) * depth + c]
    };
    pack_filters(geometry, kernel.layout(), at, &mut panels);
    panels
}

fn i8_case(shape: &Shape, geometry: Geometry, kernel: Kernel<GemmRow<i8>>, picked: bool) -> Case {
    Case::new(shape, kernel.identity().name, picked, move || {
        let (layout, n, pixels) = (kernel.layout(), geometry.channels_out, geometry.pixels());
        let (input, panels) = (f16s(1, inputs(&geometry)), packed(kernel, &geometry, bell_i8s));
        let mut sums = zeros(Filters::<i8>::sums_length(&geometry, layout));
        filter_sums(&geometry, layout, &panels, &mut sums);
        let (scales, bias, mut output) = (f32s(3, n), f32s(4, n), zeros::<f16>(pixels * n));
        let filters = Filters::new(&geometry, layout, &panels, &sums);
        let mut scratch =
            zeros(kernel.convolution_scratch_bytes(&geometry, &filters, &(0..pixels)));
        move || {
            let rows = Rows { values: &input, stride: geometry.channels };
            let precision = Precision::Tensor(Quantization { scale: 0.008, zero_point: 0 });
            let convolution = Convolution {
                geometry: &geometry,
                filters: &Filters::new(&geometry, layout, &panels, &sums),
                pixels: 0..pixels,
                epilogue: Epilogue {
                    scales: Some(&scales),
                    bias: Some(&bias),
                    ..Epilogue::default()
                },
                output: Output::F16 { values: &mut output, stride: n },
            };
            kernel.convolve(I8Rows::F16(rows, precision), convolution, &mut scratch);
        }
    })
}

fn f16_case(shape: &Shape, geometry: Geometry, kernel: Kernel<GemmRow<f16>>, picked: bool) -> Case {
    Case::new(shape, kernel.identity().name, picked, move || {
        let (layout, n, pixels) = (kernel.layout(), geometry.channels_out, geometry.pixels());
        let (input, panels) = (f16s(1, inputs(&geometry)), packed(kernel, &geometry, f16s));
        let (bias, mut output) = (f32s(4, n), zeros::<f16>(pixels * n));
        let filters = Filters::new(&geometry, layout, &panels, &[]);
        let mut scratch =
            zeros(kernel.convolution_scratch_bytes(&geometry, &filters, &(0..pixels)));
        move || {
            let convolution = Convolution {
                geometry: &geometry,
                filters: &Filters::new(&geometry, layout, &panels, &[]),
                pixels: 0..pixels,
                epilogue: Epilogue { bias: Some(&bias), ..Epilogue::default() },
                output: Output::F16 { values: &mut output, stride: n },
            };
            let rows = Rows { values: &input, stride: geometry.channels };
            kernel.convolve(rows, convolution, &mut scratch);
        }
    })
}

fn f32_case(shape: &Shape, geometry: Geometry, kernel: Kernel<GemmRow<f32>>, picked: bool) -> Case {
    Case::new(shape, kernel.identity().name, picked, move || {
        let (layout, n, pixels) = (kernel.layout(), geometry.channels_out, geometry.pixels());
        let (input, panels) = (f32s(1, inputs(&geometry)), packed(kernel, &geometry, f32s));
        let (bias, mut output) = (f32s(4, n), zeros::<f32>(pixels * n));
        let filters = Filters::new(&geometry, layout, &panels, &[]);
        let mut scratch =
            zeros(kernel.convolution_scratch_bytes(&geometry, &filters, &(0..pixels)));
        move || {
            let convolution = Convolution {
                geometry: &geometry,
                filters: &Filters::new(&geometry, layout, &panels, &[]),
                pixels: 0..pixels,
                epilogue: Epilogue { bias: Some(&bias), ..Epilogue::default() },
                output: Output::F32 { values: &mut output, stride: n },
            };
            let rows = Rows { values: &input, stride: geometry.channels };
            kernel.convolve(rows, convolution, &mut scratch);
        }
    })
}
