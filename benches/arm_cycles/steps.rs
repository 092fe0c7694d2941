//! Runs steps of a bundle's net between marks, for `make arm-cycles-net` to count their instructions under an emulator.
//!
//! `arm_steps BUNDLE NET STEP ...`: steps by their place in the program. Each runs alone, on one thread, as the engine runs it: kernels, rows
//! that are quantized on the way, epilogues. For each one line of `region step`, split by a tab; none for
//! those that do not run.

mod region;

use anyhow::{Context, ensure};
use kernels::features::Features;
use kernels::math::Activation;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vitrine::bundle::Bundle;
use vitrine::runtime::engine::{Array, Engine, Observer, Settings, View};
use vitrine::runtime::pool::Pool;
use vitrine::runtime::program::{Element, Op, Port, Program, Step, Value, ValueId};

/// The step whose end opens the region.
const MARK: &str = "mark";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, net, steps @ ..] = &words[..] else {
        anyhow::bail!("expected BUNDLE NET STEP ...");
    };
    let bundle = Bundle::open(Path::new(bundle))?;
    let program = bundle.program(net)?;
    let settings = Settings {
        features: Features::from_environment()?,
        pool: Arc::new(Pool::new(1)?),
        memory_limit: None,
    };
    for (region, step) in steps.iter().enumerate() {
        let step: usize = step.parse().context("STEP is a number")?;
        ensure!(step < program.steps.len(), "the net has {} steps", program.steps.len());
        match Engine::new(alone(&program, step), bundle.weights(net)?, settings.clone()) {
            Ok(engine) => run(Arc::new(engine), region.try_into().context("too many steps")?)?,
            Err(error) => {
                eprintln!("step {step} does not run here: {error}");
                continue;
            }
        }
        println!("{region}\t{step}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn run(engine: Arc<Engine>, region: u16) -> anyhow::Result<()> {
    let program = engine.program();
    let arrays: Vec<Array> =
        program.inputs.iter().map(|port| noise(&program.values[port.value].shape)).collect();
    let names = program.inputs.iter().map(|port| port.name.as_str());
    let inputs: Vec<(&str, &Array)> = names.zip(&arrays).collect();
    engine.session().run_observed(&inputs, &mut Marks { region, is_open: false })?;
    Ok(())
}

/// Opens the region after the step [`MARK`] and closes it after the next.
struct Marks {
    region: u16,
    is_open: bool,
}

impl Observer for Marks {
    fn step(&mut self, step: &Step, _: &[View], _: &[View], _: Duration) {
        if self.is_open {
            region::close(self.region);
        }
        self.is_open = step.name == MARK;
        if self.is_open {
            region::open(self.region);
        }
    }
}

/// The program of one step. What it reads comes from outside; rows with a step each, which cannot, come from the steps that make them.
fn alone(program: &Program, wanted: usize) -> Program {
    let mut kept = BTreeSet::from([wanted]);
    let mut ports = BTreeSet::new();
    let mut open = program.steps[wanted].inputs.clone();
    while let Some(id) = open.pop() {
        let id = root(program, id);
        let writer = program.steps.iter().position(|step| step.outputs.contains(&id));
        // The steps of rows are written together with the rows.
        let is_row_steps = program.values.iter().any(|value| value.row_steps == Some(id));
        match writer.filter(|_| is_row_steps || program.values[id].row_steps.is_some()) {
            Some(writer) if kept.insert(writer) => open.extend(&program.steps[writer].inputs),
            Some(_) => {}
            None => drop(ports.insert(id)),
        }
    }
    let mut values = program.values.clone();
    let marks = [values.len(), values.len() + 1];
    values.extend(["before", "after"].map(one_value));
    let mut steps: Vec<Step> = kept.iter().map(|&step| program.steps[step].clone()).collect();
    let mark = Op::Activate { activation: Activation::Relu };
    let (inputs, outputs) = (vec![marks[0]], vec![marks[1]]);
    steps.insert(steps.len() - 1, Step { name: MARK.into(), inputs, outputs, op: mark });
    let port = |value: ValueId| Port { name: value.to_string(), value };
    Program {
        name: program.name.clone(),
        element: program.element,
        weight_bytes: program.weight_bytes,
        inputs: ports.into_iter().chain([marks[0]]).map(port).collect(),
        outputs: program.steps[wanted].outputs.iter().copied().map(port).collect(),
        values,
        steps,
    }
}

fn root(program: &Program, mut id: ValueId) -> ValueId {
    while let Some(other) = program.values[id].same_as {
        id = other;
    }
    id
}

fn one_value(name: &str) -> Value {
    Value {
        name: name.into(),
        shape: vec![1],
        element: Element::F32,
        quantization: None,
        row_steps: None,
        same_as: None,
    }
}

/// Values between −1 and 1.
fn noise(shape: &[usize]) -> Array {
    let value = |index: usize| (index * 7919 % 1009) as f32 / 504.0 - 1.0;
    Array { shape: shape.to_vec(), values: (0..shape.iter().product()).map(value).collect() }
}
