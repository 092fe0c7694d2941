//! Operations that no kernel has, run by tract.
//!
//! What a bundle holds of one is an NNEF archive. Tract reads it only after [`inspect`] found nothing in it that could make tract allocate or
//! recurse without end, and on a thread of its own, so that a panic in there is an error here.

use super::operands::element;
use super::{Call, Context, Execute, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Step, Value};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_core::prelude::*;

/// The longest archive that is read.
const MOST_BYTES: usize = 64 << 20;
/// The longest text of a graph: one operation takes a few lines.
const MOST_TEXT: u64 = 16 << 10;
/// The most nodes: the operation, its inputs and constants, and what brings their axes in order.
const MOST_NODES: usize = 64;
/// The most elements of a value inside.
const MOST_ELEMENTS: usize = 1 << 28;
/// The deepest brackets, and the most signs in a row: the time that tract takes to read them grows with a power of this.
const MOST_DEPTH: usize = 6;
/// Enough for brackets of that depth.
const STACK_BYTES: usize = 16 << 20;
/// The one fragment that tract writes with every graph.
const PROPERTIES: &str = "tract_core_properties";
/// In front of a constant's values.
const TENSOR_HEADER: usize = 128;

type Plan = Arc<TypedRunnableModel>;

/// A model of one operation as an archive that [`prepare`] takes.
///
/// # Errors
/// What tract says where it cannot write the operation, or what [`prepare`] would refuse.
pub(super) fn archive(model: &TypedModel) -> Result<Vec<u8>, String> {
    let write = || {
        // The same bytes for the same model.
        tract_nnef::nnef().write_to_tar_with_config(model, Vec::new(), false, true)
    };
    let written = catch_unwind(AssertUnwindSafe(write)).map_err(|_| "tract panicked".to_owned())?;
    let archive = written.map_err(|error| format!("{error:#}"))?;
    inspect(&archive)?;
    let facts = |outlets: &[OutletId]| {
        outlets
            .iter()
            .map(|&outlet| model.outlet_fact(outlet).cloned())
            .collect::<TractResult<Vec<_>>>()
    };
    let inputs = facts(&model.inputs).map_err(|error| format!("{error:#}"))?;
    let outputs = facts(&model.outputs).map_err(|error| format!("{error:#}"))?;
    let shapes = |facts: Vec<TypedFact>| {
        let shape = |fact: &TypedFact| fact.shape.as_concrete().map(<[usize]>::to_vec);
        facts.iter().map(shape).collect::<Option<Vec<_>>>().ok_or("a shape is not known".to_owned())
    };
    load(&archive, &shapes(inputs)?, &shapes(outputs)?)?;
    Ok(archive)
}

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Tract { operation, archive } = &step.op else {
        return Err(refused(step, "no operation of tract's"));
    };
    let values =
        |ids: &[usize]| ids.iter().map(|&id| &context.program.values[id]).collect::<Vec<_>>();
    let (inputs, outputs) = (values(&step.inputs), values(&step.outputs));
    for value in inputs.iter().chain(&outputs) {
        element(step, value, Element::F32)?;
    }
    let length = usize::try_from(archive.bytes)
        .ok()
        .filter(|&length| length <= MOST_BYTES)
        .ok_or_else(|| refused(step, format!("an archive of {} bytes", archive.bytes)))?;
    let bytes = context.tensor::<u8>(step, "archive", *archive, length)?;
    let shapes =
        |values: &[&Value]| values.iter().map(|value| value.shape.clone()).collect::<Vec<_>>();
    let loaded = inspect(&bytes).and_then(|()| load(&bytes, &shapes(&inputs), &shapes(&outputs)));
    let plan =
        loaded.map_err(|reason| refused(step, format!("operation `{operation}`: {reason}")))?;
    Ok(Box::new(Ready { name: step.name.clone(), plan }))
}

/// Refuses archives that tract should not see: compressed ones, sparse ones, those that hold something other than a short graph without
/// fragments (they may call each other forever) and constants that are as long as they say.
fn inspect(archive: &[u8]) -> Result<(), String> {
    if archive.len() > MOST_BYTES {
        return Err(format!(
            "an archive of {} bytes, at most {MOST_BYTES} are taken",
            archive.len()
        ));
    }
    if archive.starts_with(&[0x1f, 0x8b]) {
        return Err("a compressed archive".to_owned());
    }
    let mut graphs = 0;
    let mut files = tar::Archive::new(archive);
    for entry in files.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?.into_owned();
        let shown = path.display();
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(format!("`{shown}` in the archive is no regular file"));
        }
        let size = entry.size();
        if path.as_os_str() == "graph.nnef" {
            graphs += 1;
            if size > MOST_TEXT {
                return Err(format!("a graph of {size} bytes, at most {MOST_TEXT} are taken"));
            }
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(|error| error.to_string())?;
            inspect_text(&text)?;
        } else if path.extension().is_some_and(|extension| extension == "dat") {
            let mut header = [0; TENSOR_HEADER];
            entry.read_exact(&mut header).map_err(|error| error.to_string())?;
            let stated = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            if u64::from(stated) > size.saturating_sub(TENSOR_HEADER as u64) {
                return Err(format!("`{shown}` is shorter than the {stated} bytes it states"));
            }
        } else {
            return Err(format!("`{shown}` in the archive is neither a graph nor a constant"));
        }
    }
    if graphs == 1 { Ok(()) } else { Err(format!("1 graph expected, found {graphs}")) }
}

/// Refuses graphs that tract would read for longer than it takes to read.
fn inspect_text(text: &str) -> Result<(), String> {
    let count = |word| text.matches(word).count();
    if count("fragment") != count(PROPERTIES) || count(PROPERTIES) > 1 {
        return Err("a graph with fragments of its own".to_owned());
    }
    let (mut depth, mut signs) = (0usize, 0);
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '+' | '-' | '!' => signs += 1,
            '#' => return Err("a graph with comments".to_owned()),
            _ => {}
        }
        if !matches!(character, '+' | '-' | '!') && !character.is_whitespace() {
            signs = 0;
        }
        if depth > MOST_DEPTH || signs > MOST_DEPTH {
            return Err(format!("a graph of more than {MOST_DEPTH} nested brackets or signs"));
        }
    }
    Ok(())
}

/// Reads an archive, and runs it once on zeros.
fn load(archive: &[u8], inputs: &[Vec<usize>], outputs: &[Vec<usize>]) -> Result<Plan, String> {
    let read = || read(archive, inputs, outputs);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("tract-reader".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, read)
            .map_err(|error| error.to_string())?;
        thread.join().unwrap_or_else(|_| Err("tract panicked".to_owned()))
    })
}

fn read(mut archive: &[u8], inputs: &[Vec<usize>], outputs: &[Vec<usize>]) -> Result<Plan, String> {
    let said = |error: TractError| format!("{error:#}");
    let model = tract_nnef::nnef().model_for_read(&mut archive).map_err(said)?;
    if model.nodes.len() > MOST_NODES {
        return Err(format!("{} nodes, at most {MOST_NODES} are taken", model.nodes.len()));
    }
    for fact in model.nodes.iter().flat_map(|node| &node.outputs).map(|outlet| &outlet.fact) {
        let shape = fact.shape.as_concrete().ok_or("a shape is not known")?;
        let elements = shape.iter().try_fold(1usize, |all, &extent| all.checked_mul(extent));
        if elements.is_none_or(|elements| elements > MOST_ELEMENTS) {
            return Err(format!("a value of shape {shape:?}"));
        }
    }
    compare("inputs", &model, &model.inputs, inputs)?;
    compare("outputs", &model, &model.outputs, outputs)?;
    let plan = model.into_optimized().map_err(said)?.into_runnable().map_err(said)?;
    let zeros = inputs.iter().map(|shape| Tensor::zero::<f32>(shape).map(Tensor::into_tvalue));
    let results = plan.run(zeros.collect::<TractResult<_>>().map_err(said)?).map_err(said)?;
    for (result, shape) in results.iter().zip(outputs) {
        if result.shape() != shape || result.datum_type() != f32::datum_type() {
            return Err(format!("an output of {shape:?} f32 expected, found {result:?}"));
        }
    }
    Ok(plan)
}

/// That a model's inputs or outputs are f32 of these shapes.
fn compare(
    what: &str,
    model: &TypedModel,
    outlets: &[OutletId],
    expected: &[Vec<usize>],
) -> Result<(), String> {
    if outlets.len() != expected.len() {
        return Err(format!("{} {what} expected, found {}", expected.len(), outlets.len()));
    }
    for (&outlet, shape) in outlets.iter().zip(expected) {
        let fact = model.outlet_fact(outlet).map_err(|error| format!("{error:#}"))?;
        let found = fact.shape.as_concrete();
        if found != Some(shape) || fact.datum_type != f32::datum_type() {
            return Err(format!("{what}: expected f32 of {shape:?}, found {fact:?}"));
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Ready {
    name: String,
    plan: Plan,
}

impl Ready {
    fn compute(&self, call: &mut Call) -> TractResult<()> {
        let inputs = call
            .inputs
            .iter()
            .map(|view| Tensor::from_shape(&view.value.shape, view.f32()).map(Tensor::into_tvalue));
        let results = self.plan.run(inputs.collect::<TractResult<_>>()?)?;
        for (result, output) in results.iter().zip(call.outputs.iter_mut()) {
            let values = result.try_as_plain_ram()?;
            output.all().f32().copy_from_slice(values.as_slice::<f32>()?);
        }
        Ok(())
    }
}

impl Execute for Ready {
    /// It ran when it was made ready; where these values make it fail nevertheless, an index beyond a table for instance, the outputs are NaN.
    fn run(&self, mut call: Call) {
        let computed = catch_unwind(AssertUnwindSafe(|| self.compute(&mut call)));
        let reason = match computed {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "tract panicked".to_owned(),
        };
        tracing::error!(step = self.name, reason, "an operation of tract's failed");
        for output in call.outputs {
            output.all().f32().fill(f32::NAN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(shape: &[usize]) -> TypedModel {
        let mut model = TypedModel::default();
        let x = model.add_source("input0", f32::fact(shape)).unwrap();
        let y = model.wire_node("axis0.1", tract_core::ops::math::cos(), &[x]).unwrap();
        model.select_output_outlets(&y).unwrap();
        model
    }

    fn entry(path: &str, bytes: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_data(&mut header, path, bytes).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn an_operation_comes_back_from_its_archive() {
        let archive = archive(&cosine(&[2, 3])).unwrap();
        let shapes = [vec![2, 3]];
        let plan = load(&archive, &shapes, &shapes).unwrap();
        let x = Tensor::from_shape(&[2, 3], &[0.0f32, 1.0, 2.0, -1.0, 0.5, 3.0]).unwrap();
        let results = plan.run(tvec!(x.clone().into_tvalue())).unwrap();
        let plain = x.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
        let expected = plain.iter().map(|x| x.cos()).collect::<Vec<_>>();
        let found = results[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        assert_eq!(archive, super::archive(&cosine(&[2, 3])).unwrap());
    }

    #[test]
    fn other_shapes_than_the_archives_are_refused() {
        let archive = archive(&cosine(&[2, 3])).unwrap();
        let refused = load(&archive, &[vec![3, 2]], &[vec![2, 3]]).unwrap_err();
        assert!(refused.contains("inputs: expected f32 of [3, 2]"), "{refused}");
        let refused = load(&archive, &[vec![2, 3]], &[]).unwrap_err();
        assert!(refused.contains("0 outputs expected, found 1"), "{refused}");
    }

    #[test]
    fn damaged_archives_are_refused_and_do_not_panic() {
        let good = archive(&cosine(&[2, 3])).unwrap();
        let shapes = [vec![2, 3]];
        let read = |bytes: &[u8]| inspect(bytes).and_then(|()| load(bytes, &shapes, &shapes));
        assert!(read(&good).is_ok());
        for length in [0, 1, 100, 511, 600] {
            assert!(read(&good[..length]).is_err(), "the first {length} bytes");
        }
        let negative = format!("version 1.0; graph g(x) -> (y) {{ y = {}x; }}", "- ".repeat(5_000));
        let deep = format!("version 1.0; graph g(x) -> (y) {{ y = {}x; }}", "(".repeat(16_000));
        let recursive = "version 1.0; fragment f(x: tensor<scalar>) -> (y: tensor<scalar>) { y = f(x); } graph g(x) -> (y) { x = external(shape = [2, 3]); y = f(x); }";
        for text in ["", "version 1.0;", &deep, &negative, recursive] {
            assert!(read(&entry("graph.nnef", text.as_bytes())).is_err());
        }
        assert!(read(&entry("graph.nnef", &[b' '; 20_000])).unwrap_err().contains("at most 16384"));
        let mut header = vec![0; TENSOR_HEADER];
        header[4..8].copy_from_slice(&4_000_000_000u32.to_le_bytes());
        assert!(read(&entry("a.dat", &header)).unwrap_err().contains("shorter than"));
        assert!(read(&entry("a.sh", b"true")).unwrap_err().contains("neither a graph"));
        assert!(read(&[0x1f, 0x8b, 0, 0]).unwrap_err().contains("compressed"));
    }
}
