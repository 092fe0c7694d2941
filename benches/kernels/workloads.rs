//! What the bench programs run: every row of every kernel table at the shapes of `benches/shapes.toml`.
//!
//! Shared by the host bench (`benches/kernels/main.rs`), the program that `make arm-cycles` runs
//! (`benches/arm_cycles/main.rs`) and the one that takes turns with other engines (`benches/peers/server.rs`).
//!
//! To add an operation: write `workloads/<operation>.rs` with `pub fn cases(shape: &Shape, features: Features) ->
//! Vec<Case>`, and give it its two lines under "One line an operation" below. `cases` sees every shape and answers
//! with an empty list to those that are not its own:
//!
//! ```ignore
//! pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
//!     if shape.operation != "linear" || !shape.wants("i8") {
//!         return Vec::new();
//!     }
//!     let (m, k, n) = (shape.size("m"), shape.size("k"), shape.size("n"));
//!     let pick = gemm::i8::pick(features, m, k, n).identity().name;
//!     Kernel::<gemm::i8::Version>::supported(features)
//!         .map(|kernel| {
//!             let name = kernel.identity().name;
//!             Case::new(shape, name, name == pick, move || {
//!                 let (a, weights) = (i8s(1, m * k), pack(&i8s(2, k * n)));
//!                 let mut c = zeros::<i32>(m * n);
//!                 move || gemm::i8::run(kernel, &a, &weights, &mut c)
//!             })
//!         })
//!         .collect()
//! }
//! ```
//!
//! The closure given to [`Case::new`] prepares (allocates, draws inputs, packs weights) and returns the one that is
//! timed: everything that a net does per layer and call, activation packing and epilogue included.
//! `picked` is what dispatch takes at this shape; of a `best` shape each element and algorithm has its own pick.

// Each of the programs uses a part.
#![expect(dead_code, reason = "shared by three programs, each of which uses a part")]

use half::f16;
use kernels::features::Features;
use kernels::kernel::{Identity, listings};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

type Cases = fn(&Shape, Features) -> Vec<Case>;

// One line an operation, here and in `OPERATIONS`.
#[path = "workloads/activation.rs"]
mod activation;
#[path = "workloads/attention.rs"]
mod attention;
#[path = "workloads/broadcast.rs"]
mod broadcast;
#[path = "workloads/camera.rs"]
mod camera;
#[path = "workloads/convert.rs"]
mod convert;
#[path = "workloads/convolution.rs"]
mod convolution;
#[path = "workloads/depthwise.rs"]
mod depthwise;
#[path = "workloads/gated.rs"]
mod gated;
#[path = "workloads/gemm.rs"]
mod gemm;
#[path = "workloads/gemm_i4.rs"]
mod gemm_i4;
#[path = "workloads/gemv.rs"]
mod gemv;
#[path = "workloads/interpolate.rs"]
mod interpolate;
#[path = "workloads/norm.rs"]
mod norm;
#[path = "workloads/pool.rs"]
mod pool;
#[path = "workloads/resize_area.rs"]
mod resize_area;
#[path = "workloads/rotary.rs"]
mod rotary;
#[path = "workloads/softmax.rs"]
mod softmax;
#[path = "workloads/transposed.rs"]
mod transposed;
#[path = "workloads/winograd.rs"]
mod winograd;

const OPERATIONS: &[Cases] = &[
    activation::cases,
    attention::cases,
    broadcast::cases,
    camera::cases,
    convert::cases,
    convolution::cases,
    depthwise::cases,
    gated::cases,
    gemm::cases,
    gemm_i4::cases,
    gemv::cases,
    interpolate::cases,
    norm::cases,
    pool::cases,
    resize_area::cases,
    rotary::cases,
    softmax::cases,
    transposed::cases,
    winograd::cases,
];

/// Every case of a shape, in the order of the operations and of their tables. Empty where no operation knows it.
pub fn cases(shape: &Shape, features: Features) -> Vec<Case> {
    OPERATIONS.iter().flat_map(|cases| cases(shape, features)).collect()
}

/// One row of a kernel table at one shape.
pub struct Case {
    /// The row's name.
    pub kernel: &'static str,
    /// Whether dispatch takes this row at this shape.
    pub picked: bool,
    /// Multiplications that the layer stands for, counted directly whatever the algorithm; 0 where it has none.
    pub macs: u64,
    /// Values that the layer writes.
    pub values: u64,
    /// One call of the layer. The first also prepares, so it is to be left out of every measurement.
    pub run: Box<dyn FnMut()>,
}

impl Case {
    /// A case whose inputs are made by `prepare` on the first run.
    pub fn new<Run>(
        shape: &Shape,
        kernel: &'static str,
        picked: bool,
        prepare: impl FnOnce() -> Run + 'static,
    ) -> Self
    where
        Run: FnMut() + 'static,
    {
        let mut prepare = Some(prepare);
        let mut prepared: Option<Run> = None;
        let run = move || {
            if let Some(prepare) = prepare.take() {
                prepared = Some(prepare());
            }
            if let Some(run) = &mut prepared {
                run();
            }
        };
        Self { kernel, picked, macs: shape.macs(), values: shape.values(), run: Box::new(run) }
    }

    /// The name and needs of the row; none for a function that has no table.
    pub fn identity(&self) -> Option<&'static Identity> {
        listings(Features::detect())
            .flat_map(|listing| listing.rows)
            .find(|row| row.name == self.kernel)
    }

    /// Whether it is the plain version of a table: the specification, not meant to be fast.
    pub fn is_plain(&self) -> bool {
        self.identity().is_some_and(|identity| identity.needs.is_empty())
    }

    /// The rows that this one competes with in dispatch: those of the same operation and element.
    pub fn group(&self) -> String {
        match self.identity() {
            Some(identity) => format!("{}_{}", identity.operation, identity.element),
            None => self.kernel.to_owned(),
        }
    }
}

/// `benches/shapes.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shapes {
    /// The cores that `make arm-cycles` estimates for.
    pub core: Vec<toml::Table>,
    /// The layers.
    pub shape: Vec<Shape>,
}

/// A layer to be timed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What commands and reports call it.
    pub name: String,
    /// Whose layer it is.
    pub net: String,
    /// What `workloads/*.rs` match on.
    pub operation: String,
    element: String,
    dims: BTreeMap<String, usize>,
    arm: Option<toml::Table>,
    host: Option<toml::Table>,
}

impl Shapes {
    /// The shapes of the file that the program was built with.
    pub fn load() -> Self {
        toml::from_str(include_str!("../shapes.toml"))
            .unwrap_or_else(|error| panic!("benches/shapes.toml: {error}"))
    }

    /// The shapes whose name holds one of the words; all of them where there are none.
    pub fn named(self, words: &[String]) -> Vec<Shape> {
        let wanted = |shape: &Shape| {
            words.is_empty() || words.iter().any(|word| shape.name.contains(word.as_str()))
        };
        self.shape.into_iter().filter(wanted).collect()
    }
}

impl Shape {
    /// Whether rows of this element count: the shape asks for it, or for the best of all.
    pub fn wants(&self, element: &str) -> bool {
        self.element == element || self.element == "best"
    }

    /// The element as the file has it: `i8`, `f16`, `f32`, `u8`, `i4` or `best`.
    pub fn element(&self) -> &str {
        &self.element
    }

    /// The size of this name.
    ///
    /// # Panics
    /// Where the shape has none.
    pub fn size(&self, name: &str) -> usize {
        let Some(&size) = self.dims.get(name) else {
            let known: Vec<_> = self.dims.keys().map(String::as_str).collect();
            panic!(
                "benches/shapes.toml: shape `{}` has no `{name}`, only {}",
                self.name,
                known.join(", ")
            );
        };
        size
    }

    /// The size of this name, or what stands for it where the shape has none.
    pub fn size_or(&self, name: &str, otherwise: usize) -> usize {
        self.dims.get(name).copied().unwrap_or(otherwise)
    }

    /// Whether the shape sets this switch: `causal = 1`.
    pub fn is(&self, name: &str) -> bool {
        self.size_or(name, 0) != 0
    }

    /// Padding: top, left, bottom, right.
    pub fn paddings(&self) -> [usize; 4] {
        let all = self.size_or("padding", 0);
        ["padding_top", "padding_left", "padding_bottom", "padding_right"]
            .map(|side| self.size_or(side, all))
    }

    /// Height and width of what a convolution or depthwise convolution writes.
    pub fn size_out(&self) -> (usize, usize) {
        let [top, left, bottom, right] = self.paddings();
        let stride = self.size_or("stride", 1);
        let reach = self.size_or("dilation", 1) * (self.size("kernel") - 1) + 1;
        let upsample = self.size_or("upsample", 1);
        let out = |size: usize, padding: usize| (size * upsample + padding - reach) / stride + 1;
        (out(self.size("height"), top + bottom), out(self.size("width"), left + right))
    }

    /// Multiplications of the direct form; 0 for operations that are not made of them.
    pub fn macs(&self) -> u64 {
        let macs = match self.operation.as_str() {
            "linear" => self.size("m") * self.size("k") * self.size("n"),
            "convolution" => {
                let (height, width) = self.size_out();
                let taps = self.size("kernel").pow(2) * self.size("channels_in")
                    / self.size_or("groups", 1);
                height * width * taps * self.size("channels_out")
            }
            "depthwise" => {
                let (height, width) = self.size_out();
                height * width * self.size("kernel").pow(2) * self.size("channels")
            }
            "transposed" => {
                let channels = self.size("channels_in") * self.size("channels_out");
                self.size("height") * self.size("width") * self.size("kernel").pow(2) * channels
            }
            "attention" => {
                let (queries, keys) = (self.size("queries"), self.size("keys"));
                let pairs =
                    if self.is("causal") { queries * (queries + 1) / 2 } else { queries * keys };
                pairs * self.size("heads") * self.size("head_size") * 2
            }
            _ => 0,
        };
        macs as u64
    }

    /// Values written.
    pub fn values(&self) -> u64 {
        let values = match self.operation.as_str() {
            "linear" => self.size("m") * self.size("n"),
            "convolution" => {
                let (height, width) = self.size_out();
                height * width * self.size("channels_out")
            }
            "depthwise" => {
                let (height, width) = self.size_out();
                height * width * self.size("channels")
            }
            "transposed" => {
                let pixels = self.size("height") * self.size("width") * self.size("stride").pow(2);
                pixels * self.size("channels_out")
            }
            "attention" => self.size("queries") * self.size("heads") * self.size("head_size"),
            _ => match self.dims.get("rows") {
                Some(rows) => {
                    rows * self.size_or("channels", 1)
                        * self.size_or("heads", 1)
                        * self.size_or("head_size", 1)
                }
                None => {
                    let height = self.size_or("height_out", self.size("height"));
                    let width = self.size_or("width_out", self.size("width"));
                    height * width * self.size_or("channels", 3)
                }
            },
        };
        values as u64
    }

    /// Whether `make arm-cycles` estimates it.
    pub fn is_on_arm(&self) -> bool {
        self.arm.is_some()
    }

    /// Whether `make bench-peers` times it.
    pub fn is_on_host(&self) -> bool {
        self.host.is_some()
    }
}

/// A slice that starts on a multiple of 64 bytes, as packed weights in a mapped file do.
pub struct Aligned<T> {
    values: Vec<T>,
    first: usize,
    count: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// `count` values from a function of the position.
    pub fn from_fn(count: usize, mut value: impl FnMut(usize) -> T) -> Self {
        let mut values = vec![T::default(); count + 64 / size_of::<T>()];
        let first = values.as_ptr().align_offset(64);
        values[first..first + count]
            .iter_mut()
            .enumerate()
            .for_each(|(at, slot)| *slot = value(at));
        Self { values, first, count }
    }

    /// A copy.
    pub fn copied(from: &[T]) -> Self {
        Self::from_fn(from.len(), |at| from[at])
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.first..][..self.count]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.first..][..self.count]
    }
}

/// Zeros, to be written.
pub fn zeros<T: Copy + Default>(count: usize) -> Aligned<T> {
    Aligned::from_fn(count, |_| T::default())
}

/// Values between −1 and 1.
pub fn f32s(seed: u64, count: usize) -> Aligned<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    Aligned::from_fn(count, |_| random.f32() * 2.0 - 1.0)
}

/// Values between −1 and 1.
pub fn f16s(seed: u64, count: usize) -> Aligned<f16> {
    let mut random = fastrand::Rng::with_seed(seed);
    Aligned::from_fn(count, |_| f16::from_f32(random.f32() * 2.0 - 1.0))
}

/// Values from −127 to 127.
pub fn i8s(seed: u64, count: usize) -> Aligned<i8> {
    let mut random = fastrand::Rng::with_seed(seed);
    Aligned::from_fn(count, |_| random.i8(-127..=127))
}

/// int8 weights as training leaves them: bell-shaped around 0, their greatest magnitudes at 127.
pub fn bell_i8s(seed: u64, count: usize) -> Aligned<i8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut value = || i16::from(random.i8(-127..=127));
    Aligned::from_fn(count, |_| ((value() + value() + value() + value()) / 4) as i8)
}

/// Values from 0 to 255.
pub fn u8s(seed: u64, count: usize) -> Aligned<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    Aligned::from_fn(count, |_| random.u8(..))
}
