//! `vitrine inspect`: what a bundle holds, and how this machine would read it.

use super::layers::{Layer, Layout, layers, mib};
use crate::bundle::{Bundle, Description, Entry, Net, Port};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use kernels::features::{Features, Isa};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Says what a bundle holds, and how this machine would read it
///
/// Exits with 0 if the bundle can be used, with 1 if it is damaged, altered or not signed as wanted.
#[derive(clap::Args)]
pub struct InspectArgs {
    /// The bundle (.vit)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read all of it and compare it with the digests of what was packed
    #[arg(long)]
    verify: bool,
    /// Also want a signature of this minisign key, in FILE.minisig
    #[arg(long, value_name = "KEY", requires = "verify")]
    public_key: Option<String>,
    /// List every layer
    #[arg(long)]
    layers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    bytes: u64,
    bundle: &'a Description,
    nets: Vec<InspectedNet<'a>>,
    entries: &'a [Entry],
    /// `None` where it was not asked for.
    verified: Option<Verified>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verified {
    Digests,
    DigestsAndSignature,
}

#[derive(Serialize)]
struct InspectedNet<'a> {
    name: &'a str,
    inputs: &'a [Port],
    outputs: &'a [Port],
    weight_bytes: u64,
    steps: usize,
    products: u64,
    kinds: Vec<Kind>,
    layouts: Vec<LayoutUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Layer>>,
}

/// Layers of one kind and precision.
#[derive(Serialize)]
struct Kind {
    kind: &'static str,
    precision: &'static str,
    count: usize,
    weight_bytes: u64,
    /// Of the net's weights.
    share: f64,
}

/// Layers whose weights are packed in one order.
#[derive(Serialize)]
struct LayoutUse {
    #[serde(flatten)]
    layout: Layout,
    count: usize,
    weight_bytes: u64,
}

/// Runs the subcommand.
///
/// # Errors
/// What is wrong with the bundle; if standard output cannot be written.
pub fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let about = || format!("bundle `{}`", args.file.display());
    let features = Features::from_environment()?;
    let bundle = Bundle::open(&args.file).with_context(about)?;
    let verified = if args.verify {
        Some(verify(&bundle, args.public_key.as_deref()).with_context(about)?)
    } else {
        None
    };
    let manifest = bundle.manifest();
    let nets = manifest.nets().iter().map(|net| inspect(&bundle, net, features, args.layers));
    let report = Report {
        file: &args.file,
        bytes: bundle.size(),
        bundle: manifest.description(),
        nets: nets.collect::<anyhow::Result<_>>().with_context(about)?,
        entries: manifest.entries(),
        verified,
    };
    if args.json {
        let mut text = serde_json::to_vec_pretty(&report)?;
        text.push(b'\n');
        super::print(&text)
    } else {
        super::print(report.to_string().as_bytes())
    }
}

fn verify(bundle: &Bundle, public_key: Option<&str>) -> anyhow::Result<Verified> {
    let style = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}";
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?);
    let result = bundle.verify(public_key, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    result?;
    Ok(if public_key.is_some() { Verified::DigestsAndSignature } else { Verified::Digests })
}

fn inspect<'a>(
    bundle: &Bundle,
    net: &'a Net,
    features: Features,
    with_layers: bool,
) -> anyhow::Result<InspectedNet<'a>> {
    let program = bundle.program(&net.name)?;
    let layers = layers(&program, features);
    let mut kinds = BTreeMap::<_, (usize, u64)>::new();
    let mut layouts = BTreeMap::<_, (usize, u64)>::new();
    for layer in &layers {
        let add = |entry: &mut (usize, u64)| {
            entry.0 += 1;
            entry.1 = entry.1.saturating_add(layer.weight_bytes);
        };
        add(kinds.entry((layer.kind, layer.precision)).or_default());
        if let Some(layout) = &layer.layout {
            add(layouts.entry(layout.clone()).or_default());
        }
    }
    let mut kinds: Vec<Kind> = kinds
        .into_iter()
        .map(|((kind, precision), (count, weight_bytes))| {
            let share = weight_bytes as f64 / (program.weight_bytes as f64).max(1.0);
            Kind { kind, precision, count, weight_bytes, share }
        })
        .collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.weight_bytes));
    let layouts = layouts
        .into_iter()
        .map(|(layout, (count, weight_bytes))| LayoutUse { layout, count, weight_bytes })
        .collect();
    Ok(InspectedNet {
        name: &net.name,
        inputs: &net.inputs,
        outputs: &net.outputs,
        weight_bytes: program.weight_bytes,
        steps: program.steps.len(),
        products: layers.iter().fold(0, |sum, layer| layer.products.saturating_add(sum)),
        kinds,
        layouts,
        layers: with_layers.then_some(layers),
    })
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { name, system, tasks, resolution: [height, width], .. } = self.bundle;
        writeln!(f, "bundle    {name}, {:.1} MiB: {}", mib(self.bytes), self.file.display())?;
        writeln!(f, "system    {system}: {}; {width}×{height}", tasks.join(", "))?;
        if let Some(sampler) = &self.bundle.sampler {
            let crate::bundle::Sampler { method, steps, guidance } = sampler;
            writeln!(f, "sampler   {method}: {steps} steps, guidance {guidance}")?;
        }
        writeln!(f, "licence   {}", self.bundle.licence)?;
        let sets: Vec<&str> = self.bundle.instructions.iter().copied().map(Isa::name).collect();
        writeln!(
            f,
            "packed    by {} for {}: {:?}, {}",
            self.bundle.packed_by,
            self.bundle.board,
            self.bundle.element,
            if sets.is_empty() { "any CPU".into() } else { sets.join(", ") }
        )?;
        let memory = self.bundle.memory;
        writeln!(
            f,
            "memory    {:.1} MiB of activations and {:.1} MiB of working memory at the peak",
            mib(memory.activations),
            mib(memory.scratch)
        )?;
        self.nets.iter().try_for_each(|net| net.fmt(f))?;
        for (index, entry) in self.entries.iter().enumerate() {
            let head = if index == 0 { "entries" } else { "" };
            writeln!(f, "{head:<9} {} {:>12}  {}", entry.sha256, entry.bytes, entry.name)?;
        }
        match self.verified {
            None => writeln!(f, "verified  no; --verify reads all of it"),
            Some(Verified::Digests) => writeln!(f, "verified  all digests are right"),
            Some(Verified::DigestsAndSignature) => {
                writeln!(f, "verified  all digests and the signature are right")
            }
        }
    }
}

impl fmt::Display for InspectedNet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "net       {}: {:.1} MiB of weights, {} steps, {:.3} G products",
            self.name,
            mib(self.weight_bytes),
            self.steps,
            self.products as f64 / 1e9
        )?;
        for (head, ports) in [("reads", self.inputs), ("makes", self.outputs)] {
            for port in ports {
                writeln!(f, "  {head:<7} {} {:?}", port.name, port.shape)?;
            }
        }
        writeln!(
            f,
            "  {:<25} {:<9} {:>6} {:>9} {:>7}",
            "layers", "precision", "count", "MiB", "share"
        )?;
        for kind in &self.kinds {
            writeln!(
                f,
                "  {:<25} {:<9} {:>6} {:>9.3} {:>6.1}%",
                kind.kind,
                kind.precision,
                kind.count,
                mib(kind.weight_bytes),
                kind.share * 100.0
            )?;
        }
        for LayoutUse { layout, count, weight_bytes } in &self.layouts {
            let read = match layout.read_as_it_is {
                true => "read as it is",
                false => "repacked into memory: this CPU's kernels read another layout",
            };
            let size = mib(*weight_bytes);
            writeln!(f, "  layout  {}: {count} layers, {size:.3} MiB, {read}", layout.name)?;
        }
        for layer in self.layers.iter().flatten() {
            writeln!(
                f,
                "  {:<44} {:<23} {:<4} {:>9.3} MiB {:>8.3} G  {}",
                layer.name,
                layer.kind,
                layer.precision,
                mib(layer.weight_bytes),
                layer.products as f64 / 1e9,
                layer.layout.as_ref().map_or("", |layout| &layout.name)
            )?;
        }
        Ok(())
    }
}
