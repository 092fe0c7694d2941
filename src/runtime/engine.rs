//! Programs made ready for a CPU, and run.

use super::blob::Blob;
pub use super::check::ProgramError;
use super::ops::{self, Call, Context, Execute, ViewMut};
pub use super::plan::Peak;
use super::plan::Plan;
use super::pool::Pool;
use super::program::{Element, Program, Step, Value, ValueId};
pub use super::view::View;
use half::f16;
use kernels::convert::{ConvertRow, Factors, Scaling, Strided};
use kernels::features::Features;
use kernels::kernel::Kernel;
use kernels::memory::{Memory, values_mut};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most bytes that an engine and a session of it may take where [`Settings::memory_limit`] says nothing.
pub const MOST_BYTES: usize = 1 << 34;

/// A program made ready for a CPU: versions of kernels picked, memory planned. Shared freely between threads.
#[derive(Debug)]
pub struct Engine {
    program: Program,
    steps: Vec<Box<dyn Execute>>,
    plan: Plan,
    settings: Settings,
    /// Of the step that needs most: for each thread, and for all together.
    scratch: [usize; 2],
    footprint: Footprint,
}

/// What an engine runs on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The CPU's.
    pub features: Features,
    /// Threads.
    pub pool: Arc<Pool>,
    /// The most bytes that weights in memory of our own, activations and working memory of one session may take together; none is [`MOST_BYTES`].
    pub memory_limit: Option<usize>,
}

/// The memory of one run at a time.
#[derive(Debug)]
pub struct Session {
    engine: Arc<Engine>,
    arena: Memory,
    /// Of each thread.
    scratch: Vec<Memory>,
    shared: Memory,
}

/// A tensor at the edge of a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extents, outermost first; images are `[n, h, w, c]`.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// What an engine takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Footprint {
    /// Weights in the page cache, shared and reclaimable.
    pub mapped: usize,
    /// Weights in memory of our own: not mapped, or brought to another layout.
    pub owned: usize,
    /// Of `owned`, those that had to be brought to another layout.
    pub repacked: usize,
    /// Activations of a session at their peak.
    pub activations: usize,
    /// Working memory of all threads of a session.
    pub scratch: usize,
}

/// Told of each step as it ends: for calibration, reports and timings.
pub trait Observer: Send {
    /// A step, what it read and wrote, and how long it took.
    fn step(&mut self, step: &Step, inputs: &[View], outputs: &[View], time: Duration);
}

/// Why a program is refused or does not run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A step that contradicts itself, its values or its weights.
    #[error("step `{step}`: {reason}; the bundle is damaged, install it again")]
    Step {
        /// The step's name.
        step: String,
        /// What does not go together, with what was expected and what was found.
        reason: String,
    },
    /// Weights in an order that no kernel of this CPU reads and that cannot be brought to another.
    #[error(
        "step `{step}`: the bundle is packed for another CPU ({packing}); pack it again for this one"
    )]
    OtherCpu {
        /// The step's name.
        step: String,
        /// What this CPU lacks.
        packing: String,
    },
    /// A span of weights that is none.
    #[error("step `{step}`")]
    Weights {
        /// The step's name.
        step: String,
        /// Why.
        source: super::blob::BlobError,
    },
    /// A program that contradicts itself.
    #[error("the net's program; the bundle is damaged, install it again")]
    Program(#[from] ProgramError),
    /// A value that contradicts itself.
    #[error("value `{value}`: {reason}; the bundle is damaged, install it again")]
    Value {
        /// The value's name.
        value: String,
        /// What does not go together.
        reason: String,
    },
    /// More memory than is allowed.
    #[error(
        "net `{net}` needs {needed} bytes: {weights} of weights, {activations} of activations (most in step `{step}`), {scratch} of working \
         memory; {limit} are allowed: close other programs, or install a smaller bundle"
    )]
    Memory {
        /// The program's name.
        net: String,
        /// In all.
        needed: usize,
        /// Weights in memory of our own.
        weights: usize,
        /// Of a session.
        activations: usize,
        /// The step that needs most activations.
        step: String,
        /// Of a session.
        scratch: usize,
        /// The limit.
        limit: usize,
    },
    /// The system does not have it.
    #[error(
        "the system has no {needed} bytes of memory left: close other programs, or install a smaller bundle"
    )]
    NoMemory {
        /// How many are needed.
        needed: usize,
    },
    /// An array whose length is not its shape's, or whose shape is not the input's.
    #[error("input `{name}`: shape {expected:?} expected, found {found:?} with {values} values")]
    InputShape {
        /// The name.
        name: String,
        /// What the net reads.
        expected: Vec<usize>,
        /// What was given.
        found: Vec<usize>,
        /// How many values were given.
        values: usize,
    },
    /// An input that the net does not have, one given twice, or one that is missing.
    #[error("input `{name}`: the net reads {expected:?}")]
    Input {
        /// The name.
        name: String,
        /// Names of the net's inputs.
        expected: Vec<String>,
    },
}

impl Engine {
    /// Checks a program, picks kernels for a CPU with these features, plans memory.
    ///
    /// # Errors
    /// [`RuntimeError`] where the program contradicts itself or its weights, or needs more memory than is allowed.
    pub fn new(program: Program, weights: Blob, settings: Settings) -> Result<Self, RuntimeError> {
        program.check(weights.len() as u64)?;
        let plan = Plan::new(&program);
        let limit = settings.memory_limit.unwrap_or(MOST_BYTES);
        let (mapped, owned) =
            if weights.is_mapped() { (weights.len(), 0) } else { (0, weights.len()) };
        let mut footprint =
            Footprint { mapped, owned, repacked: 0, activations: plan.bytes, scratch: 0 };
        // Weights are brought to another layout only where there is room for activations.
        footprint.check(&program, &plan, limit)?;
        let started = Instant::now();
        let threads = settings.pool.threads();
        let context =
            Context { program: &program, weights: &weights, features: settings.features, threads };
        let steps = program.steps.iter().map(|step| ops::prepare(&context, step));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let greatest = |bytes: fn(&dyn Execute) -> usize| {
            steps.iter().map(|step| bytes(step.as_ref())).max().unwrap_or(0)
        };
        let scratch = [greatest(|step| step.scratch_bytes()), greatest(|step| step.shared_bytes())];
        footprint.scratch = scratch[0].saturating_mul(threads).saturating_add(scratch[1]);
        footprint.repacked = steps.iter().map(|step| step.repacked_bytes()).sum();
        footprint.owned += footprint.repacked;
        footprint.check(&program, &plan, limit)?;
        if footprint.repacked > 0 {
            tracing::warn!(
                net = program.name,
                megabytes = footprint.repacked >> 20,
                milliseconds = started.elapsed().as_millis() as u64,
                "weights are packed for another CPU and were brought to this one's layout; a bundle packed for this CPU starts at once and \
                 takes less memory"
            );
        }
        tracing::debug!(net = program.name, ?footprint, peak = ?plan.peak, "made ready");
        Ok(Self { program, steps, plan, settings, scratch, footprint })
    }

    /// What it executes.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What it takes.
    pub fn footprint(&self) -> Footprint {
        self.footprint
    }

    /// The step that needs most activations.
    pub fn peak(&self) -> &Peak {
        &self.plan.peak
    }

    /// Memory to run in. Pages are taken as they are first written.
    pub fn session(self: &Arc<Self>) -> Session {
        let [scratch, shared] = self.scratch;
        Session {
            engine: Arc::clone(self),
            arena: Memory::zeroed(self.plan.bytes),
            scratch: (0..self.settings.pool.threads()).map(|_| Memory::zeroed(scratch)).collect(),
            shared: Memory::zeroed(shared),
        }
    }
}

impl Footprint {
    fn check(&self, program: &Program, plan: &Plan, limit: usize) -> Result<(), RuntimeError> {
        let session = self.activations.saturating_add(self.scratch);
        let needed = self.owned.saturating_add(session);
        if needed > limit {
            return Err(RuntimeError::Memory {
                net: program.name.clone(),
                needed,
                weights: self.owned,
                activations: self.activations,
                step: plan.peak.step.clone(),
                scratch: self.scratch,
                limit,
            });
        }
        // `Memory` ends the process where the system has none; this asks first.
        if Vec::<u8>::new().try_reserve_exact(session).is_err() {
            return Err(RuntimeError::NoMemory { needed: session });
        }
        Ok(())
    }
}

impl Session {
    /// Runs the net on an array for each of its inputs, by name; gives the outputs in the program's order.
    ///
    /// # Errors
    /// [`RuntimeError`] where inputs are not the net's.
    pub fn run(&mut self, inputs: &[(&str, &Array)]) -> Result<Vec<Array>, RuntimeError> {
        let engine = Arc::clone(&self.engine);
        engine.settings.pool.install(|| self.run_steps(inputs, None))
    }

    /// As [`Session::run`], and tells an observer of each step.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_observed(
        &mut self,
        inputs: &[(&str, &Array)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Array>, RuntimeError> {
        let engine = Arc::clone(&self.engine);
        engine.settings.pool.install(|| self.run_steps(inputs, Some(observer)))
    }

    fn run_steps(
        &mut self,
        inputs: &[(&str, &Array)],
        mut observer: Option<&mut dyn Observer>,
    ) -> Result<Vec<Array>, RuntimeError> {
        let engine = Arc::clone(&self.engine);
        let program = &engine.program;
        let _span = tracing::debug_span!("net", name = program.name).entered();
        self.read(&engine, inputs)?;
        for (step, execute) in program.steps.iter().zip(&engine.steps) {
            let started = observer.is_some().then(Instant::now);
            self.execute(&engine, step, execute.as_ref());
            if let (Some(observer), Some(started)) = (&mut observer, started) {
                let time = started.elapsed();
                let views = |ids: &[ValueId]| -> Vec<View> {
                    ids.iter().map(|&id| self.view(&engine, id)).collect()
                };
                observer.step(step, &views(&step.inputs), &views(&step.outputs), time);
            }
        }
        let output = |port: &super::program::Port| {
            let view = self.view(&engine, port.value);
            Array { shape: view.value.shape.clone(), values: view.to_f32() }
        };
        Ok(program.outputs.iter().map(output).collect())
    }

    /// Brings the inputs to their elements.
    fn read(&mut self, engine: &Engine, inputs: &[(&str, &Array)]) -> Result<(), RuntimeError> {
        let ports = &engine.program.inputs;
        let unknown = |name: &str| RuntimeError::Input {
            name: name.to_owned(),
            expected: ports.iter().map(|port| port.name.clone()).collect(),
        };
        for (index, (name, _)) in inputs.iter().enumerate() {
            let again = inputs[..index].iter().any(|(other, _)| other == name);
            if again || !ports.iter().any(|port| port.name == *name) {
                return Err(unknown(name));
            }
        }
        for port in ports {
            let given = inputs.iter().find(|(name, _)| *name == port.name);
            let Some((_, array)) = given else { return Err(unknown(&port.name)) };
            let value = &engine.program.values[port.value];
            if array.shape != value.shape || array.values.len() != value.elements() {
                return Err(RuntimeError::InputShape {
                    name: port.name.clone(),
                    expected: value.shape.clone(),
                    found: array.shape.clone(),
                    values: array.values.len(),
                });
            }
            let bytes = &mut self.arena[engine.plan.places[port.value].clone()];
            store(engine.settings.features, &array.values, value, bytes);
        }
        Ok(())
    }

    fn execute(&mut self, engine: &Engine, step: &Step, execute: &dyn Execute) {
        let (values, places) = (&engine.program.values, &engine.plan.places);
        let place = |id: &ValueId| places[*id].clone();
        let (outputs, unwritten) = split(&mut self.arena, step.outputs.iter().map(place).collect());
        let view = |&id: &ValueId| View {
            value: &values[id],
            bytes: within(&unwritten, place(&id)),
            steps: values[id].row_steps.map(|id| within(&unwritten, place(&id))),
        };
        let inputs: Vec<View> = step.inputs.iter().map(view).collect();
        let outputs = step.outputs.iter().zip(outputs);
        let mut outputs: Vec<ViewMut> =
            outputs.map(|(&id, bytes)| ViewMut { value: &values[id], bytes }).collect();
        let mut scratch: Vec<&mut [u8]> =
            self.scratch.iter_mut().map(|memory| &mut memory[..]).collect();
        execute.run(Call {
            inputs: &inputs,
            outputs: &mut outputs,
            pool: &engine.settings.pool,
            scratch: &mut scratch,
            shared: &mut self.shared,
        });
    }

    fn view<'a>(&'a self, engine: &'a Engine, id: ValueId) -> View<'a> {
        let value = &engine.program.values[id];
        let bytes = |id: ValueId| &self.arena[engine.plan.places[id].clone()];
        View { value, bytes: bytes(id), steps: value.row_steps.map(bytes) }
    }
}

/// A part of memory that a step leaves as it is, and where it starts.
type Kept<'a> = (usize, &'a [u8]);

/// Parts of memory that are written, in the order of the ranges, and what lies between them, each with where it starts.
///
/// # Panics
/// Where two ranges meet: the plan keeps them apart.
fn split(memory: &mut [u8], written: Vec<Range<usize>>) -> (Vec<&mut [u8]>, Vec<Kept<'_>>) {
    let mut order: Vec<usize> = (0..written.len()).collect();
    order.sort_unstable_by_key(|&index| written[index].start);
    let mut parts: Vec<&mut [u8]> = written.iter().map(|_| Default::default()).collect();
    let mut between = Vec::with_capacity(written.len() + 1);
    let (mut rest, mut at) = (memory, 0);
    for index in order {
        let Range { start, end } = written[index];
        let (before, tail) = rest.split_at_mut(start - at);
        between.push((at, &*before));
        (parts[index], rest) = tail.split_at_mut(end - start);
        at = end;
    }
    between.push((at, &*rest));
    (parts, between)
}

/// A range of what is not written.
///
/// # Panics
/// Where a part of it is: the plan keeps them apart.
fn within<'a>(between: &[Kept<'a>], range: Range<usize>) -> &'a [u8] {
    let (start, bytes) = between[between.partition_point(|(start, _)| *start <= range.start) - 1];
    &bytes[range.start - start..range.end - start]
}

/// Writes f32 values as what a value is made of.
fn store(features: Features, from: &[f32], value: &Value, to: &mut [u8]) {
    const ALIGNED: &str = "the plan aligns values";
    let (rows, channels) = (value.rows(), value.channels());
    let source = Strided { values: from, stride: channels };
    match value.element {
        Element::F32 => values_mut::<f32>(to).expect(ALIGNED).copy_from_slice(from),
        Element::F16 => {
            let to = Strided { values: values_mut::<f16>(to).expect(ALIGNED), stride: channels };
            Kernel::<ConvertRow<f32, f16>>::first(features).run(
                [rows, channels],
                source,
                Scaling::NONE,
                to,
            );
        }
        Element::I8 => {
            let quantization = super::program::Quantization::of_gemm(value.quantization);
            let to = Strided { values: values_mut::<i8>(to).expect(ALIGNED), stride: channels };
            let factors = Factors::One(1.0 / quantization.scale);
            let scaling = Scaling { factors, zero_from: 0, zero_to: quantization.zero_point };
            let kernel = Kernel::<ConvertRow<f32, i8>>::first(features);
            kernel.run([rows, channels], source, scaling, to);
        }
    }
}
