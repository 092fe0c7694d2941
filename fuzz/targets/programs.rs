//! Programs made of bytes: their steps go together as a rule, and now and then one thing is off. So the checks of single operations, and what
//! runs behind them, are reached, which text altered at random seldom does.

use kernels::gemm::Layout;
use kernels::math::Activation;
use kernels::winograd::Layout as Tiles;
use vitrine::runtime::program::{
    Element, Epilogue, Op, Operation, Packing, Pooling, Port, Program, Quantization, Repeat,
    Sampling, Span, Step, Value, ValueId, Weights,
};

const MOST_STEPS: usize = 8;
const ELEMENTS: [Element; 3] = [Element::F32, Element::F16, Element::I8];
const ACTIVATIONS: [Activation; 9] = [
    Activation::None,
    Activation::Relu,
    Activation::Relu6,
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::HardSwish,
    Activation::Sigmoid,
    Activation::Tanh,
];
/// Sizes that break sums and products.
const SIZES: [usize; 8] = [0, 1, 2, 3, 65, 1 << 16, 1 << 40, usize::MAX];
const SCALES: [f32; 8] = [0.05, 1.0, 1e-3, 0.0, -1.0, f32::NAN, 1e38, 1e-44];

/// Any bytes make a program.
pub fn program(bytes: &[u8]) -> Program {
    let mut maker = Maker { bytes, program: empty() };
    maker.program.element = ELEMENTS[maker.below(2)];
    for _ in 0..1 + maker.below(2) {
        let shape = maker.shape();
        let id = maker.value(shape);
        let port = Port { name: format!("input {id}"), value: id };
        maker.program.inputs.push(port);
    }
    for _ in 0..1 + maker.below(MOST_STEPS) {
        maker.step();
    }
    let last = maker.program.values.len() - 1;
    let value = maker.damaged(last);
    maker.program.outputs.push(Port { name: "output".into(), value });
    maker.program
}

fn empty() -> Program {
    Program {
        name: "made".into(),
        element: Element::F32,
        weight_bytes: 0,
        inputs: Vec::new(),
        outputs: Vec::new(),
        values: Vec::new(),
        steps: Vec::new(),
    }
}

/// Decides by the next byte; where there are none left, always for the first.
struct Maker<'a> {
    bytes: &'a [u8],
    program: Program,
}

impl Maker<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn flag(&mut self) -> bool {
        self.below(4) == 1
    }

    /// The size, or now and then another.
    fn damaged(&mut self, size: usize) -> usize {
        match self.byte() {
            255 => self.of(&SIZES),
            254 => size.wrapping_add(1),
            253 => size.wrapping_sub(1),
            _ => size,
        }
    }

    /// An image, tokens or rows.
    fn shape(&mut self) -> Vec<usize> {
        let axes = [4, 3, 2, 1][self.below(4)];
        let mut shape: Vec<usize> = (0..axes).map(|_| 1 + self.below(12)).collect();
        if axes > 2 {
            shape[0] = 1 + self.below(2);
        }
        let channels = [8, 16, 1, 3, 24, 33];
        shape[axes - 1] = self.of(&channels);
        shape
    }

    fn quantization(&mut self) -> Quantization {
        let scale = if self.byte() == 255 { self.of(&SCALES) } else { 0.05 };
        Quantization { scale, zero_point: self.byte() as i8 }
    }

    /// A value that nothing writes yet.
    fn value(&mut self, shape: Vec<usize>) -> ValueId {
        let element = self.of(&ELEMENTS);
        self.value_of(shape, element)
    }

    fn value_of(&mut self, shape: Vec<usize>, element: Element) -> ValueId {
        let shape = shape.into_iter().map(|extent| self.damaged(extent)).collect();
        let quantization = (element == Element::I8).then(|| self.quantization());
        let id = self.program.values.len();
        let (row_steps, same_as) = (None, None);
        let name = format!("value {id}");
        self.program.values.push(Value { name, shape, element, quantization, row_steps, same_as });
        id
    }

    /// A value that there is; its last or another, now and then under another shape or none.
    fn operand(&mut self) -> ValueId {
        let count = self.program.values.len();
        let id = if self.flag() { self.below(count) } else { count - 1 };
        if self.below(16) == 1 {
            let of = self.program.values[id].clone();
            let elements = of.shape.iter().fold(1usize, |all, &extent| all.wrapping_mul(extent));
            let id = self.damaged(id);
            let shape = vec![1, self.damaged(elements)];
            self.program.values.push(Value { shape, same_as: Some(id), ..of });
            return count;
        }
        self.damaged(id)
    }

    fn span(&mut self, bytes: usize) -> Span {
        let offset = self.program.weight_bytes;
        let bytes = self.damaged(bytes) as u64;
        let end = offset.saturating_add(bytes).checked_next_multiple_of(64).unwrap_or(u64::MAX);
        // Larger ones are left to point outside.
        if bytes <= 1 << 18 {
            self.program.weight_bytes = end;
        }
        Span { offset: self.damaged(offset as usize) as u64, bytes }
    }

    fn some_span(&mut self, bytes: usize) -> Option<Span> {
        (!self.flag()).then(|| self.span(bytes))
    }

    fn gemm_layout(&mut self) -> Layout {
        let layouts = [(16, 1), (32, 4), (8, 4), (8, 1), (1, 1), (3, 5)];
        let (nr, kr) = self.of(&layouts);
        Layout { nr: self.damaged(nr), kr: self.damaged(kr) }
    }

    /// Weights of `blocks` multiplies of `segments` runs of `depth` values of k.
    fn weights(
        &mut self,
        element: Element,
        [blocks, segments, depth, columns]: [usize; 4],
    ) -> Weights {
        let Layout { nr, kr } = self.gemm_layout();
        let panels = columns.div_ceil(nr.max(1)).saturating_mul(nr);
        let deep = depth.div_ceil(kr.max(1)).saturating_mul(kr);
        let values =
            [blocks, segments, deep].iter().fold(panels, |all, &size| all.saturating_mul(size));
        let is_i8 = element == Element::I8;
        Weights {
            packing: Packing::Gemm { element, nr, kr },
            panels: self.span(values.saturating_mul(size_of_element(element))),
            sums: if is_i8 {
                self.some_span(panels.saturating_mul(blocks).saturating_mul(4))
            } else {
                None
            },
            scales: is_i8.then(|| self.span(columns * blocks * 4)),
            bias: self.some_span(columns * blocks * 4),
        }
    }

    fn epilogue(&mut self) -> Epilogue {
        Epilogue { shift: self.flag(), residual: self.flag(), activation: self.of(&ACTIVATIONS) }
    }

    /// Operands of the epilogue: a shift, a residual.
    fn finish(&mut self, inputs: &mut Vec<ValueId>, epilogue: &Epilogue, shape: &[usize]) {
        if epilogue.shift {
            inputs.push(self.made(vec![*shape.last().unwrap_or(&1)], Element::F32));
        }
        if epilogue.residual {
            let element = self.of(&ELEMENTS);
            inputs.push(self.made(shape.to_vec(), element));
        }
    }

    /// A value that comes from outside.
    fn made(&mut self, shape: Vec<usize>, element: Element) -> ValueId {
        let id = self.value_of(shape, element);
        self.program.inputs.push(Port { name: format!("input {id}"), value: id });
        id
    }

    /// Shape and element of an operand; of none that there is, anything.
    fn facts(&mut self, id: ValueId) -> (Vec<usize>, Element) {
        match self.program.values.get(id) {
            Some(value) => (value.shape.clone(), value.element),
            None => (self.shape(), Element::F32),
        }
    }

    fn floating(&mut self, of: Element) -> Element {
        if of == Element::I8 { self.of(&ELEMENTS) } else { of }
    }

    fn step(&mut self) {
        let x = self.operand();
        let (shape, element) = self.facts(x);
        // Wild extents would only overflow here.
        let shape: Vec<usize> = shape.iter().map(|&extent| extent.clamp(1, 64)).collect();
        let channels = *shape.last().unwrap_or(&1);
        let mut inputs = vec![x];
        let mut made = shape.clone();
        let mut with_row_steps = false;
        let op = match self.below(20) {
            0..3 => self.convolution(&mut inputs, &mut made, element),
            3..5 => {
                let columns = 1 + self.below(40);
                set_last(&mut made, columns);
                let of = if self.flag() { Element::I8 } else { element };
                let weights = self.weights(of, [1, 1, channels, columns]);
                let quantization = (of == Element::I8 && element != of && self.flag())
                    .then(|| self.quantization());
                let epilogue = self.epilogue();
                self.finish(&mut inputs, &epilogue, &made);
                Op::Linear { weights, quantization, epilogue }
            }
            5 => self.attention(&mut inputs, &mut made),
            6 => {
                let groups = self.divisor(channels);
                let (scale, shift) = (self.some_span(channels * 4), self.some_span(channels * 4));
                Op::GroupNorm {
                    groups,
                    epsilon: 1e-5,
                    scale,
                    shift,
                    activation: self.of(&ACTIVATIONS),
                }
            }
            7 => {
                with_row_steps = self.flag();
                let (scale, shift) = (self.some_span(channels * 4), self.some_span(channels * 4));
                Op::LayerNorm { epsilon: 1e-5, scale, shift }
            }
            8 => {
                with_row_steps = self.flag();
                let size = self.divisor(channels);
                Op::RmsNorm { size, epsilon: 1e-5, scale: self.some_span(size.min(64) * 4) }
            }
            9 => {
                with_row_steps = self.flag();
                set_last(&mut made, (channels / 2).max(1));
                Op::Gated { activation: self.of(&ACTIVATIONS), gate_first: self.flag() }
            }
            10 => match self.flag() {
                true => Op::PRelu { slopes: self.span(channels * 4) },
                false => Op::Activate { activation: self.of(&ACTIVATIONS) },
            },
            11 => self.binary(&mut inputs, &made),
            12 => Op::Softmax,
            13 => {
                let heads = self.divisor(channels);
                let turned = self.damaged(channels / heads.clamp(1, 64) / 2 * 2);
                let tokens = shape.get(1).copied().unwrap_or(1);
                let bytes = tokens.saturating_mul(turned / 2).saturating_mul(4);
                let (cosines, sines) = (self.span(bytes), self.span(bytes));
                Op::Rotary { heads, turned, cosines, sines }
            }
            14 => {
                let window = [1 + self.below(3), 1 + self.below(3)].map(|size| self.damaged(size));
                let stride = [1 + self.below(2), 1 + self.below(2)];
                let padding = [self.below(2), 0, self.below(2), 0];
                reduce(&mut made, window, stride, padding);
                let all = [Pooling::Greatest, Pooling::Mean, Pooling::MeanWithPadding];
                Op::Pool { pooling: self.of(&all), window, stride, padding }
            }
            15 => {
                if let [_, height, width, _] = &mut made[..] {
                    (*height, *width) = (1 + self.below(16), 1 + self.below(16));
                }
                let all = [
                    Sampling::Nearest,
                    Sampling::BilinearHalfPixel,
                    Sampling::BilinearAligned,
                    Sampling::BilinearOrigin,
                ];
                Op::Resize { sampling: self.of(&all) }
            }
            16 => {
                let axis = self.below(made.len());
                for _ in 0..1 + self.below(2) {
                    let more = self.operand();
                    let (shape, _) = self.facts(more);
                    made[axis] += shape.get(axis).map_or(1, |extent| (*extent).clamp(1, 64));
                    inputs.push(more);
                }
                Op::Concat { axis: self.damaged(axis) }
            }
            17 => {
                let axis = self.below(made.len());
                let start = self.below(made[axis]);
                made[axis] = 1 + self.below(made[axis] - start);
                Op::Slice { axis: self.damaged(axis), start: self.damaged(start) }
            }
            18 => self.movement(&mut made),
            _ => Op::Convert,
        };
        let wanted = self.floating(element);
        let any = if with_row_steps {
            Element::I8
        } else if self.flag() {
            self.of(&ELEMENTS)
        } else {
            wanted
        };
        let y = self.value_of(made, any);
        let mut outputs = vec![y];
        if with_row_steps {
            let shape = &self.program.values[y].shape;
            let rows =
                shape.iter().rev().skip(1).fold(1usize, |all, &extent| all.wrapping_mul(extent));
            let steps = self.value_of(vec![rows], Element::F32);
            let value = &mut self.program.values[y];
            (value.quantization, value.row_steps) = (None, Some(steps));
            outputs.push(steps);
        }
        self.program.steps.push(Step { name: format!("step {y}"), inputs, outputs, op });
        if with_row_steps {
            self.after_rows(y);
        }
    }

    /// A linear layer that reads rows with a step each.
    fn after_rows(&mut self, x: ValueId) {
        let mut shape = self.program.values[x].shape.clone();
        let channels = shape.last().map_or(1, |&extent| extent.clamp(1, 64));
        let columns = 1 + self.below(20);
        set_last(&mut shape, columns);
        let weights = self.weights(Element::I8, [1, 1, channels, columns]);
        let epilogue = self.epilogue();
        let mut inputs = vec![x, x + 1];
        self.finish(&mut inputs, &epilogue, &shape);
        let y = self.value(shape);
        let op = Op::Linear { weights, quantization: None, epilogue };
        self.program.steps.push(Step { name: format!("step {y}"), inputs, outputs: vec![y], op });
    }

    fn divisor(&mut self, of: usize) -> usize {
        let divisors: Vec<usize> = (1..=of).filter(|&size| of.is_multiple_of(size)).collect();
        let size = self.of(&divisors);
        self.damaged(size)
    }

    fn convolution(
        &mut self,
        inputs: &mut Vec<ValueId>,
        made: &mut [usize],
        element: Element,
    ) -> Op {
        let channels = *made.last().unwrap_or(&1);
        let mut kernel = [1 + self.below(3), 1 + self.below(3)];
        let (mut stride, mut dilation) =
            ([1 + self.below(2), 1 + self.below(2)], [1, 1 + self.below(2)]);
        let mut padding = [self.below(2), self.below(3), self.below(2), 0];
        let mut groups = self.divisor(channels);
        let enlargement = if self.flag() { 2 } else { 1 };
        let columns = groups.clamp(1, 64) * (1 + self.below(9));
        let mut channels_out = columns;
        let (of, weights) = match self.below(4) {
            0 => {
                (kernel, stride, dilation, groups) = ([3, 3], [1, 1], [1, 1], 1);
                padding = [1; 4];
                let of = self.floating(element);
                let tiles = [[6, 6], [4, 6], [4, 4], [2, 2], [3, 3]];
                let sizes = [(32, 16), (16, 8), (8, 8), (16, 16)];
                let (tile, (nr, group)) = (self.of(&tiles), self.of(&sizes));
                let values = Tiles { tile, nr, group }.packed_length(channels, columns);
                let weights = Weights {
                    packing: Packing::Winograd {
                        element: of,
                        tile: tile.map(|size| self.damaged(size)),
                        nr,
                        group,
                    },
                    panels: self.span(values.saturating_mul(size_of_element(of))),
                    sums: None,
                    scales: None,
                    bias: self.some_span(columns * 4),
                };
                (of, weights)
            }
            1 => {
                (groups, channels_out) = (channels, channels);
                let is_i8 = element == Element::I8;
                let taps = kernel[0] * kernel[1];
                let weights = Weights {
                    packing: Packing::Taps { element },
                    panels: self.span(taps * channels * size_of_element(element)),
                    sums: None,
                    scales: is_i8.then(|| self.span(channels * 4)),
                    bias: self.some_span(channels * 4),
                };
                (element, weights)
            }
            _ => {
                let of = if self.flag() { Element::I8 } else { element };
                let each = groups.clamp(1, 64);
                // Rows of the kernel are runs of k.
                let depth = kernel[1] * channels / each;
                let segmented = [[kernel[0], depth], [kernel[0] * kernel[1], channels / each]];
                let [segments, depth] = self.of(&segmented);
                (of, self.weights(of, [each, segments, depth, columns / each]))
            }
        };
        let quantization = (of == Element::I8 && element != of).then(|| self.quantization());
        if let [_, height, width, _] = made {
            (*height, *width) = (*height * enlargement, *width * enlargement);
        }
        let reach = [0, 1].map(|axis: usize| dilation[axis] * (kernel[axis] - 1) + 1);
        reduce(made, reach, stride, padding);
        set_last(made, channels_out);
        let epilogue = self.epilogue();
        self.finish(inputs, &epilogue, made);
        let [kernel, stride, dilation] =
            [kernel, stride, dilation].map(|sizes| sizes.map(|size| self.damaged(size)));
        let padding = padding.map(|size| self.damaged(size));
        Op::Convolution {
            kernel,
            stride,
            dilation,
            padding,
            groups,
            enlargement,
            weights,
            quantization,
            epilogue,
        }
    }

    fn attention(&mut self, inputs: &mut Vec<ValueId>, made: &mut Vec<usize>) -> Op {
        let (key_heads, group) = (1 + self.below(2), 1 + self.below(2));
        let (key_size, value_size) = (1 + self.below(20), 1 + self.below(20));
        let (batch, queries, keys) = (1, 1 + self.below(12), 1 + self.below(12));
        let heads = key_heads * group;
        let element = self.program.element;
        inputs.clear();
        for (tokens, channels) in [
            (queries, heads * key_size),
            (keys, key_heads * key_size),
            (keys, key_heads * value_size),
        ] {
            inputs.push(self.made(vec![batch, tokens, channels], element));
        }
        if self.flag() {
            let shape = [[batch, heads, queries, keys], [1, 1, queries, keys]];
            let shape = self.of(&shape).to_vec();
            inputs.push(self.made(shape, Element::F32));
        }
        *made = vec![batch, queries, heads * value_size];
        Op::Attention {
            heads: self.damaged(heads),
            key_heads: self.damaged(key_heads),
            key_size: self.damaged(key_size),
            value_size: self.damaged(value_size),
            scale: if self.byte() == 255 { self.of(&SCALES) } else { 0.3 },
            causal: self.flag(),
            zero_keys: self.below(3),
            int8: self.flag(),
            channels: [0; 3].map(|channel| self.damaged(channel)),
        }
    }

    fn binary(&mut self, inputs: &mut Vec<ValueId>, made: &[usize]) -> Op {
        let channels = *made.last().unwrap_or(&1);
        let all: usize = made.iter().product();
        let first = made.first().copied().unwrap_or(1);
        let (repeat, shape) = match self.below(5) {
            0 => (Repeat::All, made.to_vec()),
            1 => (Repeat::Channels, vec![channels]),
            2 => (Repeat::Rows, vec![all / channels]),
            3 => (Repeat::Images, vec![first, channels]),
            _ => (Repeat::One(self.of(&SCALES)), Vec::new()),
        };
        let elements: usize = shape.iter().product();
        let mut constant = None;
        if !matches!(repeat, Repeat::One(_)) {
            if self.flag() {
                constant = Some(self.span(elements * 4));
            } else {
                let element = self.of(&ELEMENTS);
                inputs.push(self.made(shape, element));
            }
        }
        let operation = self.of(&[Operation::Add, Operation::Multiply]);
        Op::Binary { operation, repeat, constant, activation: self.of(&ACTIVATIONS) }
    }

    fn movement(&mut self, made: &mut [usize]) -> Op {
        match self.below(4) {
            0 => {
                let turn = self.below(made.len());
                let mut axes: Vec<usize> = (0..made.len()).collect();
                axes.rotate_left(turn);
                let from = made.to_vec();
                axes.iter().zip(made.iter_mut()).for_each(|(&axis, extent)| *extent = from[axis]);
                Op::Transpose { axes: axes.into_iter().map(|axis| self.damaged(axis)).collect() }
            }
            1 => {
                let image = [self.below(3), self.below(3), self.below(3), self.below(3)];
                let channels = [self.below(3), self.below(3)];
                if let [_, height, width, depth] = made {
                    *height += image[0] + image[2];
                    *width += image[1] + image[3];
                    *depth += channels[0] + channels[1];
                }
                Op::Pad { image: image.map(|size| self.damaged(size)), channels }
            }
            2 => {
                let block = 1 + self.below(3);
                if let [_, height, width, depth] = made {
                    (*height, *width, *depth) =
                        (*height * block, *width * block, (*depth / block / block).max(1));
                }
                Op::DepthToSpace { block: self.damaged(block) }
            }
            _ => {
                let kernel = [1 + self.below(3), 1 + self.below(3)];
                let channels = *made.last().unwrap_or(&1);
                let columns = 1 + self.below(9);
                let element = self.of(&ELEMENTS);
                let weights = self.weights(element, [kernel[0] * kernel[1], 1, channels, columns]);
                if let [_, height, width, depth] = made {
                    (*height, *width, *depth) = (*height * kernel[0], *width * kernel[1], columns);
                }
                let quantization = self.flag().then(|| self.quantization());
                let epilogue =
                    Epilogue { shift: false, residual: false, activation: self.of(&ACTIVATIONS) };
                Op::Transposed { kernel, weights, quantization, epilogue }
            }
        }
    }
}

fn size_of_element(element: Element) -> usize {
    match element {
        Element::F32 => 4,
        Element::F16 => 2,
        Element::I8 => 1,
    }
}

fn set_last(shape: &mut [usize], extent: usize) {
    if let Some(last) = shape.last_mut() {
        *last = extent;
    }
}

/// An image's height and width after a window has gone over it.
fn reduce(
    shape: &mut [usize],
    window: [usize; 2],
    stride: [usize; 2],
    [top, left, bottom, right]: [usize; 4],
) {
    if let [_, height, width, _] = shape {
        let out =
            |size: usize, window: usize, stride: usize| (size.saturating_sub(window)) / stride + 1;
        *height = out(*height + top + bottom, window[0], stride[0]);
        *width = out(*width + left + right, window[1], stride[1]);
    }
}
