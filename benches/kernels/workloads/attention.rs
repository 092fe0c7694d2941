use super::{Aligned, Case, Shape, f16s, f32s, zeros};
use half::f16;
use kernels::attention::{AttentionRow, Int8, Part, Precision, Strides, Task, Tokens, Value};
use kernels::features::Features;
use kernels::kernel::{Kernel, Row};

pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    if shape.operation != "attention" {
        return Vec::new();
    }
    let mut all = Vec::new();
    // int8 products are less exact: they compete only where a shape asks for them.
    if shape.wants("f16") {
        all.extend(rows::<f16>(shape, features, f16s));
    }
    if shape.wants("f32") {
        all.extend(rows::<f32>(shape, features, f32s));
    }
    if shape.wants("f16") || shape.wants("i8") {
        all.extend(rows::<Int8<f16>>(shape, features, f16s));
    }
    if shape.wants("f32") || shape.wants("i8") {
        all.extend(rows::<Int8<f32>>(shape, features, f32s));
    }
    let asked = |case: &Case| !case.kernel.contains("_i8") || shape.wants("i8");
    all.iter_mut().for_each(|case| case.picked &= asked(case));
    all
}

/// Queries, keys and values as a projection writes them, `[tokens, heads · size]`.
fn rows<P: Precision<Value: Value + Copy + Default + 'static>>(
    shape: &Shape,
    features: Features,
    draw: fn(u64, usize) -> Aligned<P::Value>,
) -> Vec<Case>
where
    AttentionRow<P>: Row,
{
    let heads = shape.size("heads");
    let sizes = kernels::attention::Shape {
        batches: 1,
        heads,
        key_heads: shape.size_or("key_heads", heads),
        queries: shape.size("queries"),
        keys: shape.size("keys"),
        key_size: shape.size("head_size"),
        value_size: shape.size("head_size"),
    };
    let causal = shape.is("causal").then(|| sizes.keys - sizes.queries);
    let pick = Kernel::<AttentionRow<P>>::first(features).identity().name;
    let case = |kernel: Kernel<AttentionRow<P>>| {
        let name = kernel.identity().name;
        Case::new(shape, name, name == pick, move || {
            let strides = |tokens, heads| Strides::tokens_first(tokens, heads, sizes.key_size);
            let of_queries = strides(sizes.queries, sizes.heads);
            let of_keys = strides(sizes.keys, sizes.key_heads);
            let queries = draw(1, of_queries.batch);
            let (keys, values) = (draw(2, of_keys.batch), draw(3, of_keys.batch));
            let mut output = zeros::<P::Value>(of_queries.batch);
            let mut packed = zeros::<f32>(kernel.packed_length(&sizes) * sizes.key_heads);
            let mut scratch = zeros::<f32>(kernel.scratch_length(&sizes));
            move || {
                let keys = Tokens { values: &keys, strides: of_keys };
                let values = Tokens { values: &values, strides: of_keys };
                kernel.pack(&sizes, keys, values, 0..sizes.key_heads, &mut packed);
                let task = Task {
                    shape: sizes,
                    scale: 1.0 / (sizes.key_size as f32).sqrt(),
                    queries: Tokens { values: &queries, strides: of_queries },
                    bias: None,
                    causal,
                    zero_keys: 0,
                };
                let part = Part::whole(&sizes);
                kernel.attend(&task, &packed, &part, &mut output, of_queries, &mut scratch);
            }
        })
    };
    Kernel::<AttentionRow<P>>::supported(features).map(case).collect()
}
