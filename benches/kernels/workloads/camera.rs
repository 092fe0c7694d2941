use super::{Case, Shape, u8s, zeros};
use half::f16;
use kernels::blend::{Alpha, BlendRow};
use kernels::blur::BlurRow;
use kernels::features::Features;
use kernels::image_resize::{ImageResizeRow, Region, Resize};
use kernels::kernel::{Kernel, Row};
use kernels::moments::MomentsRow;
use kernels::normalise::{Normalisation, NormaliseRow, Target, Value};
use kernels::plane::{Plane, PlaneMut};
use kernels::warp::{Edge, Motion, WarpRow};
use kernels::yuv::{Levels, Matrix, Picture, PictureMut, Standard, YuvRow};

const MATRIX: Matrix = Matrix::new(Standard::Bt601, Levels::Limited);

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    match shape.operation.as_str() {
        "yuyv" => yuv(shape, features, rgb_from_yuyv),
        "nv12" => yuv(shape, features, rgb_from_nv12),
        "to_nv12" => yuv(shape, features, nv12_from_rgb),
        "normalise" => match shape.element() {
            "f32" => normalise::<f32>(shape, features),
            "f16" => normalise::<f16>(shape, features),
            _ => normalise::<i8>(shape, features),
        },
        "image_resize" => each(shape, features, resized),
        "warp" => each(shape, features, warped),
        "blend" => each(shape, features, blended),
        "blur" => each(shape, features, blurred),
        "moments" => each(shape, features, summed),
        _ => Vec::new(),
    }
}

/// A case for every version of an operation that needs no more than the shape.
fn each<R: Row>(
    shape: &Shape,
    features: Features,
    prepare: fn(Kernel<R>, Sizes) -> Run,
) -> Vec<Case> {
    let pick = Kernel::<R>::first(features).identity().name;
    let sizes = Sizes {
        size: [shape.size("width"), shape.size("height")],
        target: [
            shape.size_or("width_out", shape.size("width")),
            shape.size_or("height_out", shape.size("height")),
        ],
        channels: shape.size_or("channels", 3),
        area: shape.is("area"),
    };
    Kernel::<R>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || prepare(kernel, sizes))
        })
        .collect()
}

#[derive(Clone, Copy)]
struct Sizes {
    size: [usize; 2],
    target: [usize; 2],
    channels: usize,
    area: bool,
}

impl Sizes {
    fn resize(self, bytes: &[u8]) -> Resize<'_> {
        let source = Plane { bytes, stride_bytes: self.size[0] * self.channels };
        let region = Region::whole(self.size);
        Resize { source, size: self.size, region, target: self.target }
    }
}

fn resized(kernel: Kernel<ImageResizeRow>, sizes: Sizes) -> Run {
    let Sizes { size, target, channels, area } = sizes;
    let bytes = u8s(1, size[0] * size[1] * channels);
    let mut pixels = zeros::<u8>(target[0] * target[1] * channels);
    let scratch = kernel
        .bilinear_scratch(target[0], channels)
        .max(kernel.area_scratch(&sizes.resize(&bytes), channels));
    let mut scratch = zeros::<u8>(scratch);
    Box::new(move || {
        let to = PlaneMut { bytes: &mut pixels, stride_bytes: target[0] * channels };
        let resize = sizes.resize(&bytes);
        if area {
            kernel.area(&resize, channels, 0..target[1], to, &mut scratch);
        } else {
            kernel.bilinear(&resize, channels, 0..target[1], to, &mut scratch);
        }
    })
}

fn warped(kernel: Kernel<WarpRow>, sizes: Sizes) -> Run {
    let Sizes { size, target, channels, .. } = sizes;
    let bytes = u8s(1, size[0] * size[1] * channels);
    let mut pixels = zeros::<u8>(target[0] * target[1] * channels);
    // A turn by 0.1, a little smaller: nearly all of the target is covered.
    let motion = Motion::Affine([[0.93, -0.093, 60.0], [0.093, 0.93, -20.0]]);
    Box::new(move || {
        let from = Plane { bytes: &bytes, stride_bytes: size[0] * channels };
        let to = PlaneMut { bytes: &mut pixels, stride_bytes: target[0] * channels };
        kernel.run(from, size, channels, &motion, Edge::Clear, target[0], 0..target[1], to);
    })
}

fn blurred(kernel: Kernel<BlurRow>, sizes: Sizes) -> Run {
    const RADIUS: usize = 5;
    let Sizes { size: size @ [width, height], channels, .. } = sizes;
    let (bytes, mut pixels) =
        (u8s(1, width * height * channels), zeros::<u8>(width * height * channels));
    let mut scratch = zeros::<u8>(kernel.box_scratch(width, channels, RADIUS));
    Box::new(move || {
        let from = Plane { bytes: &bytes, stride_bytes: width * channels };
        let to = PlaneMut { bytes: &mut pixels, stride_bytes: width * channels };
        kernel.box_u8(from, size, channels, RADIUS, 0..height, to, &mut scratch);
    })
}

fn summed(kernel: Kernel<MomentsRow>, sizes: Sizes) -> Run {
    let [width, height] = sizes.size;
    let (bytes, mask) = (u8s(1, width * height * 3), u8s(2, width * height));
    Box::new(move || {
        let picture = Plane { bytes: &bytes, stride_bytes: width * 3 };
        let mask = Plane { bytes: &mask, stride_bytes: width };
        std::hint::black_box(kernel.run([width, height], picture, mask));
    })
}

fn blended(kernel: Kernel<BlendRow>, sizes: Sizes) -> Run {
    let [width, height] = sizes.size;
    let (over, mut under) = (u8s(1, width * height * 4), u8s(2, width * height * 3));
    Box::new(move || {
        let over = Plane { bytes: &over, stride_bytes: width * 4 };
        let under = PlaneMut { bytes: &mut under, stride_bytes: width * 3 };
        kernel.over([width, height], over, Alpha::Premultiplied, under);
    })
}

fn normalise<T: Value + Default>(shape: &Shape, features: Features) -> Vec<Case>
where
    NormaliseRow<T>: Row,
{
    let (width, height) = (shape.size("width"), shape.size("height"));
    let pick = Kernel::<NormaliseRow<T>>::first(features).identity().name;
    Kernel::<NormaliseRow<T>>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || {
                let (bytes, mut values) = (u8s(1, width * height * 3), zeros(width * height * 3));
                let line = Normalisation::from_mean_and_deviation([0.5; 3], [0.5; 3]);
                let line = line.quantized(1.0 / 127.0, 0);
                move || {
                    let source = Plane { bytes: &bytes, stride_bytes: width * 3 };
                    let target = Target { values: &mut values, stride: width * 3, planes: None };
                    kernel.run(source, width, 0..height, &line, target);
                }
            })
        })
        .collect()
}

type Run = Box<dyn FnMut()>;

fn yuv(shape: &Shape, features: Features, run: fn(Kernel<YuvRow>, [usize; 2]) -> Run) -> Vec<Case> {
    let size = [shape.size("width"), shape.size("height")];
    let pick = Kernel::<YuvRow>::first(features).identity().name;
    Kernel::<YuvRow>::supported(features)
        .map(|kernel| {
            let name = kernel.identity().name;
            Case::new(shape, name, name == pick, move || run(kernel, size))
        })
        .collect()
}

fn rgb_from_yuyv(kernel: Kernel<YuvRow>, size @ [width, height]: [usize; 2]) -> Run {
    let (yuyv, mut rgb) = (u8s(1, width * height * 2), zeros::<u8>(width * height * 3));
    Box::new(move || {
        let from = Picture::Yuyv(Plane { bytes: &yuyv, stride_bytes: width * 2 });
        let to = PlaneMut { bytes: &mut rgb, stride_bytes: width * 3 };
        kernel.to_rgb(from, size, &MATRIX, 0..height, to);
    })
}

fn rgb_from_nv12(kernel: Kernel<YuvRow>, size @ [width, height]: [usize; 2]) -> Run {
    let (luma, chroma) = (u8s(1, width * height), u8s(2, width * height / 2));
    let mut rgb = zeros::<u8>(width * height * 3);
    Box::new(move || {
        let plane = |bytes| Plane { bytes, stride_bytes: width };
        let from = Picture::Nv12 { luma: plane(&luma), chroma: plane(&chroma) };
        let to = PlaneMut { bytes: &mut rgb, stride_bytes: width * 3 };
        kernel.to_rgb(from, size, &MATRIX, 0..height, to);
    })
}

fn nv12_from_rgb(kernel: Kernel<YuvRow>, size @ [width, height]: [usize; 2]) -> Run {
    let rgb = u8s(1, width * height * 3);
    let (mut luma, mut chroma) = (zeros::<u8>(width * height), zeros::<u8>(width * height / 2));
    Box::new(move || {
        let from = Plane { bytes: &rgb, stride_bytes: width * 3 };
        let luma = PlaneMut { bytes: &mut luma, stride_bytes: width };
        let chroma = PlaneMut { bytes: &mut chroma, stride_bytes: width };
        kernel.from_rgb(from, size, &MATRIX, 0..height, PictureMut::Nv12 { luma, chroma });
    })
}
