//! Depthwise convolutions with a bias for each channel, from values of a type to values of the same.

use super::{Case, Shape, f16s, f32s, i8s, zeros};
use half::f16;
use kernels::convolution::Geometry;
use kernels::depthwise::{Depthwise, DepthwiseRow};
use kernels::features::Features;
use kernels::gemm::{Element, Epilogue, Output, Quantization, Rows};
use kernels::kernel::{Kernel, Row};

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "depthwise" {
        return Vec::new();
    }
    let mut cases = Vec::new();
    if shape.wants("i8") {
        cases.extend(rows::<i8>(shape, features, i8s, |values, stride| Output::I8 {
            values,
            stride,
            scale: 0.1,
            zero_point: 2,
        }));
    }
    if shape.wants("f16") {
        cases.extend(rows::<f16>(shape, features, f16s, |values, stride| Output::F16 {
            values,
            stride,
        }));
    }
    if shape.wants("f32") {
        cases.extend(rows::<f32>(shape, features, f32s, |values, stride| Output::F32 {
            values,
            stride,
        }));
    }
    cases
}

fn rows<E: Element>(
    shape: &Shape,
    features: Features,
    random: fn(u64, usize) -> super::Aligned<E>,
    output: for<'a> fn(&'a mut [E], usize) -> Output<'a>,
) -> Vec<Case>
where
    DepthwiseRow<E>: Row,
{
    let [height, width, n] = ["height", "width", "channels"].map(|name| shape.size(name));
    let geometry = Geometry {
        stride: [shape.size_or("stride", 1); 2],
        dilation: [shape.size_or("dilation", 1); 2],
        padding: shape.paddings(),
        ..Geometry::depthwise([shape.size_or("batch", 1), height, width, n], shape.size("kernel"))
    };
    let int8 = size_of::<E>() == 1;
    let pick = Kernel::<DepthwiseRow<E>>::first(features).identity().name;
    let case = |kernel: Kernel<DepthwiseRow<E>>| {
        let name = kernel.identity().name;
        Case::new(shape, name, name == pick, move || {
            let pixels = geometry.batch * height * width;
            let (input, filters) = (random(1, pixels * n), random(2, geometry.taps() * n));
            let (scales, bias) = (f32s(3, n), f32s(4, n));
            let mut values = zeros::<E>(geometry.pixels() * n);
            let mut scratch = zeros(kernel.scratch_bytes(&geometry));
            let quantization = match int8 {
                true => Quantization { scale: 0.008, zero_point: 3 },
                false => Quantization { scale: 1.0, zero_point: 0 },
            };
            move || {
                let epilogue = Epilogue {
                    scales: int8.then_some(&scales[..]),
                    bias: Some(&bias),
                    ..Epilogue::default()
                };
                let depthwise = Depthwise {
                    geometry: &geometry,
                    input: Rows { values: &input, stride: n },
                    quantization,
                    filters: &filters,
                    pixels: 0..geometry.pixels(),
                    epilogue,
                    output: output(&mut values, n),
                };
                kernel.run(depthwise, &mut scratch);
            }
        })
    };
    Kernel::<DepthwiseRow<E>>::supported(features).map(case).collect()
}
