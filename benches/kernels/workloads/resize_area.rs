use super::{Case, Shape, u8s, zeros};
use kernels::features::Features;
use kernels::resize::{Window, resize_area};

pub fn cases(shape: &Shape, _: Features) -> Vec<Case> {
    if shape.operation != "resize_area" || !shape.wants("u8") {
        return Vec::new();
    }
    let source_size @ (width, height) = (shape.size("width"), shape.size("height"));
    let (width_out, height_out) = (shape.size("width_out"), shape.size("height_out"));
    let side = width.min(height);
    let window = Window {
        x: (width - side) as f32 / 2.0,
        y: (height - side) as f32 / 2.0,
        scale: side as f32 / width_out as f32,
    };
    vec![Case::new(shape, "resize_area_u8_scalar", true, move || {
        let source = u8s(1, width * height * 3);
        let mut target = zeros::<f32>(width_out * height_out * 3);
        let mut scratch = zeros::<f32>(width * 3);
        move || {
            resize_area::<_, 3>(
                &source,
                source_size,
                &mut target,
                width_out,
                0,
                window,
                &mut scratch,
            )
        }
    })]
}
