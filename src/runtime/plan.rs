//! Where values lie in a session's memory: two values share bytes only where no step needs both.

use super::blob::ALIGNMENT;
use super::program::{Program, ValueId};
use std::ops::Range;

/// The memory of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The bytes of each value.
    pub places: Vec<Range<usize>>,
    /// Of all.
    pub bytes: usize,
    /// Where most is needed.
    pub peak: Peak,
}

/// The step that needs most memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Peak {
    /// Its name; empty in a program without steps.
    pub step: String,
    /// Bytes of the values that it or later steps need, its own outputs included: no plan takes less.
    pub bytes: usize,
}

/// A value's memory, and the steps that need it.
#[derive(Clone, Debug)]
struct Life {
    root: ValueId,
    bytes: usize,
    /// First and last.
    first: usize,
    last: usize,
}

impl Plan {
    /// Places the values of a checked program, the largest first, each as low as it fits.
    pub fn new(program: &Program) -> Self {
        let lives = lives(program);
        let mut order: Vec<&Life> = lives.iter().collect();
        order.sort_by_key(|life| (std::cmp::Reverse(life.bytes), life.first, life.root));
        let mut placed: Vec<(Range<usize>, &Life)> = Vec::with_capacity(order.len());
        let mut bytes = 0;
        for life in order {
            // Sorted by where they start.
            let beside = placed
                .iter()
                .filter(|(_, other)| other.first <= life.last && life.first <= other.last);
            let mut start = 0;
            for (taken, _) in beside {
                if start + life.bytes <= taken.start {
                    break;
                }
                start = start.max(taken.end);
            }
            let place = start..start + life.bytes;
            bytes = bytes.max(place.end);
            let at = placed.partition_point(|(taken, _)| taken.start <= start);
            placed.insert(at, (place, life));
        }
        let mut starts = vec![0; program.values.len()];
        for (place, life) in &placed {
            starts[life.root] = place.start;
        }
        let place = |(id, value): (ValueId, &super::program::Value)| {
            let start = starts[program.root(id)];
            start..start + value.bytes()
        };
        let places = program.values.iter().enumerate().map(place).collect();
        Self { places, bytes, peak: peak(program, &lives) }
    }
}

/// The values that have memory of their own and are written, in the order of ids. Inputs of the net live from step 0 on, its outputs to the end.
fn lives(program: &Program) -> Vec<Life> {
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; program.values.len()];
    let mut need = |id: ValueId, step: usize| {
        // Whoever reads a value with a step for each row reads the steps, too.
        for id in std::iter::once(id).chain(program.values[id].row_steps) {
            let (first, _) = *spans[program.root(id)].get_or_insert((step, step));
            spans[program.root(id)] = Some((first, step));
        }
    };
    program.inputs.iter().for_each(|port| need(port.value, 0));
    for (index, step) in program.steps.iter().enumerate() {
        step.inputs.iter().chain(&step.outputs).for_each(|&id| need(id, index));
    }
    program.outputs.iter().for_each(|port| need(port.value, program.steps.len()));
    let life = |(root, span): (ValueId, Option<(usize, usize)>)| {
        let (first, last) = span?;
        let bytes = program.values[root].bytes().next_multiple_of(ALIGNMENT);
        Some(Life { root, bytes, first, last })
    };
    spans.into_iter().enumerate().filter_map(life).collect()
}

fn peak(program: &Program, lives: &[Life]) -> Peak {
    let mut changes = vec![(0usize, 0usize); program.steps.len() + 2];
    for life in lives {
        changes[life.first].0 += life.bytes;
        changes[life.last + 1].1 += life.bytes;
    }
    let (mut live, mut peak) = (0, Peak::default());
    for (step, (begun, ended)) in program.steps.iter().zip(changes) {
        live = live + begun - ended;
        if live > peak.bytes {
            peak = Peak { step: step.name.clone(), bytes: live };
        }
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::program::{Element, Op, Port, Step, Value};

    /// A pseudorandom number below a limit.
    fn below(state: &mut u64, limit: usize) -> usize {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*state >> 33) as usize % limit
    }

    fn value(shape: Vec<usize>) -> Value {
        let name = String::new();
        let element = Element::F32;
        Value { name, shape, element, quantization: None, row_steps: None, same_as: None }
    }

    /// A program whose steps read values that are there, with shared memory and steps of rows among them.
    fn program(seed: u64) -> Program {
        let state = &mut (seed * 2 + 1);
        let mut values = Vec::new();
        let mut there = Vec::new();
        for _ in 0..1 + below(state, 3) {
            there.push(values.len());
            values.push(value(vec![1 + below(state, 40), 1 + below(state, 9)]));
        }
        let port = |value: &ValueId| Port { name: format!("{value}"), value: *value };
        let inputs = there.iter().map(port).collect();
        let mut steps = Vec::new();
        for index in 0..below(state, 25) {
            let inputs: Vec<_> =
                (0..1 + below(state, 4)).map(|_| there[below(state, there.len())]).collect();
            let mut outputs = vec![values.len()];
            let shape = vec![1 + below(state, 40), 1 + below(state, 9)];
            let rows = shape[0];
            values.push(value(shape));
            if below(state, 4) == 0 {
                let (id, steps) = (outputs[0], values.len());
                values.push(value(vec![rows]));
                outputs.push(steps);
                values[id].element = Element::I8;
                values[id].row_steps = Some(steps);
            }
            there.push(outputs[0]);
            if below(state, 4) == 0 {
                let original = there[below(state, there.len())];
                let mut alias = values[original].clone();
                alias.same_as = Some(original);
                there.push(values.len());
                values.push(alias);
            }
            steps.push(Step { name: format!("{index}"), inputs, outputs, op: Op::Convert });
        }
        let outputs = (0..2).map(|_| there[below(state, there.len())]).collect::<Vec<_>>();
        let outputs = outputs.iter().enumerate();
        let outputs = outputs.map(|(at, &value)| Port { name: format!("{at}"), value }).collect();
        let (name, element) = (String::new(), Element::F32);
        Program { name, element, weight_bytes: 0, inputs, outputs, values, steps }
    }

    /// Whoever wrote each byte last.
    struct Memory(Vec<Option<ValueId>>);

    impl Memory {
        fn write(&mut self, plan: &Plan, program: &Program, id: ValueId) {
            self.0[plan.places[id].clone()].fill(Some(program.root(id)));
        }
        fn check(&self, plan: &Plan, program: &Program, id: ValueId, when: &str) {
            for id in std::iter::once(id).chain(program.values[id].row_steps) {
                let whole = self.0[plan.places[id].clone()]
                    .iter()
                    .all(|owner| *owner == Some(program.root(id)));
                assert!(whole, "value {id} is overwritten before {when} reads it: {program:#?}");
            }
        }
    }

    #[test]
    fn no_value_is_overwritten_while_it_is_needed() {
        for seed in 0..500 {
            let program = program(seed);
            program.check(0).expect("a program");
            let plan = Plan::new(&program);
            assert!(plan.bytes >= plan.peak.bytes, "{program:#?}");
            let mut memory = Memory(vec![None; plan.bytes]);
            for place in &plan.places {
                assert_eq!(place.start % ALIGNMENT, 0);
            }
            program.inputs.iter().for_each(|port| memory.write(&plan, &program, port.value));
            for step in &program.steps {
                step.outputs.iter().for_each(|&id| memory.write(&plan, &program, id));
                // Outputs are written while inputs are read.
                for &id in step.inputs.iter().chain(&step.outputs) {
                    memory.check(&plan, &program, id, &step.name);
                }
            }
            for port in &program.outputs {
                memory.check(&plan, &program, port.value, "the caller");
            }
        }
    }

    #[test]
    fn a_chain_takes_the_memory_of_its_two_greatest_neighbours() {
        let sizes = [16, 160, 32, 320, 16, 16];
        let values = sizes.iter().map(|&size| value(vec![size])).collect::<Vec<_>>();
        let step = |at: usize| Step {
            name: format!("{at}"),
            inputs: vec![at],
            outputs: vec![at + 1],
            op: Op::Convert,
        };
        let port = |value: usize| vec![Port { name: "port".into(), value }];
        let program = Program {
            name: String::new(),
            element: Element::F32,
            weight_bytes: 0,
            inputs: port(0),
            outputs: port(5),
            values,
            steps: (0..5).map(step).collect(),
        };
        let plan = Plan::new(&program);
        assert_eq!(plan.peak, Peak { step: "2".into(), bytes: (32 + 320) * 4 });
        assert_eq!(plan.bytes, plan.peak.bytes);
    }
}
