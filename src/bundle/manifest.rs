//! What a bundle says of itself.

use super::archive::{Placed, is_name};
use super::error::BundleError;
use crate::runtime::program::{Element, Program};
use kernels::features::Isa;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::collections::BTreeSet;

/// The version of the format that this program writes and reads.
pub const FORMAT: u64 = 1;

/// The manifest's name.
pub(super) const MANIFEST: &str = "manifest.toml";
/// Names of the entries that people look at.
pub(super) const PREVIEW: &str = "preview.png";
pub(super) const REPORT: &str = "report.html";

const MOST_RESOLUTION: usize = 1 << 15;

/// What is in a bundle, checked against its entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest(Text);

/// The manifest as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: u64,
    bundle: Description,
    #[serde(rename = "net")]
    nets: Vec<Net>,
    #[serde(rename = "entry")]
    entries: Vec<Entry>,
}

/// What a bundle is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// For people.
    pub name: String,
    /// The try-on system whose nets these are.
    pub system: String,
    /// What it is for: try-on, removal.
    pub tasks: Vec<String>,
    /// Height and width of the pictures that it makes.
    #[serde(deserialize_with = "height_and_width")]
    pub resolution: [usize; 2],
    /// Under which its weights may be used.
    pub licence: String,
    /// Program and version.
    pub packed_by: String,
    /// The name of the board that it is packed for.
    pub board: String,
    /// What activations that are not quantized are made of.
    pub element: Element,
    /// The sets of instructions whose kernels read the weights as they are.
    #[serde(with = "instruction_names")]
    pub instructions: Vec<Isa>,
    /// At its peak.
    pub memory: Memory,
    /// How pictures are sampled, unless the user says otherwise; a system of one step has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<Sampler>,
}

/// Memory beside the weights, in bytes: of the net that takes most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Tensors between steps.
    pub activations: u64,
    /// Working memory of all threads.
    pub scratch: u64,
}

/// A sampler and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampler {
    /// Its name.
    pub method: String,
    /// How often the net runs; positive.
    pub steps: u32,
    /// How strongly the condition is followed; finite.
    pub guidance: f32,
}

/// A net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Net {
    /// Letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// The entry that holds its program.
    pub graph: String,
    /// The entry that holds its weights.
    pub weights: String,
    /// What it reads.
    pub inputs: Vec<Port>,
    /// What it makes.
    pub outputs: Vec<Port>,
}

/// An input or output of a net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// As in the program.
    pub name: String,
    /// Extents, outermost first; images are `[n, h, w, c]`.
    pub shape: Vec<usize>,
}

/// An entry of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// How many.
    pub bytes: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// How a manifest contradicts itself or the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, or a field is missing, unknown or of the wrong type.
    #[error("{reason}")]
    Text {
        /// What was expected and what was found.
        reason: String,
    },
    /// A value outside of what it may be.
    #[error("`{field}` is {found}, expected {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A net's name that cannot be a file's.
    #[error("net name {net:?}: expected letters, digits, `_`, `-` and `.`")]
    NetName {
        /// The name.
        net: String,
    },
    /// Two nets of one name.
    #[error("net `{net}` is there twice")]
    NetTwice {
        /// The name.
        net: String,
    },
    /// A net's entry is not the one of its name.
    #[error("net `{net}` names the entry `{found}`, expected `{expected}`")]
    NetEntry {
        /// The net.
        net: String,
        /// The name.
        found: String,
        /// The name that it should be.
        expected: String,
    },
    /// Entries that no net has, or in another order.
    #[error("it lists the entries {found}, expected {expected}")]
    Order {
        /// The graph and the weights of each net, then those for people.
        expected: String,
        /// What is listed.
        found: String,
    },
    /// Entries and file do not agree.
    #[error("entry {index} is `{listed}`, the file has `{found}`")]
    Entry {
        /// Counted from 0, after the manifest.
        index: usize,
        /// What the manifest says: name and size.
        listed: String,
        /// What there is.
        found: String,
    },
    /// A program's name, inputs or outputs are not those that the manifest lists.
    #[error("net `{net}` has another name, other inputs or outputs than its program")]
    Ports {
        /// The net.
        net: String,
    },
}

impl Manifest {
    /// Puts a manifest together.
    pub(super) fn new(
        bundle: Description,
        nets: Vec<Net>,
        entries: Vec<Entry>,
    ) -> Result<Self, ManifestError> {
        Self::checked(Text { format: FORMAT, bundle, nets, entries })
    }

    /// As TOML.
    pub(super) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.0)
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`BundleError::Format`], [`BundleError::Manifest`]
    pub fn parse(text: &str) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u64,
        }
        let Versioned { format } = toml::from_str(text).map_err(|error| reason(&error))?;
        if format != FORMAT {
            return Err(BundleError::Format { found: format });
        }
        let text = toml::from_str(text).map_err(|error| reason(&error))?;
        Ok(Self::checked(text)?)
    }

    fn checked(text: Text) -> Result<Self, ManifestError> {
        let bundle = &text.bundle;
        let value = |field, found: &dyn std::fmt::Debug, expected| ManifestError::Value {
            field,
            found: format!("{found:?}"),
            expected,
        };
        let [height, width] = bundle.resolution;
        if height.min(width) == 0 || height.max(width) > MOST_RESOLUTION {
            return Err(value("resolution", &bundle.resolution, "1 to 32768 each way"));
        }
        if bundle.tasks.is_empty() {
            return Err(value("tasks", &bundle.tasks, "at least one"));
        }
        if let Some(sampler) = &bundle.sampler {
            if sampler.steps == 0 {
                return Err(value("steps", &0, "at least 1"));
            }
            if !sampler.guidance.is_finite() {
                return Err(value("guidance", &sampler.guidance, "a finite number"));
            }
        }
        if text.nets.is_empty() {
            return Err(value("net", &"empty", "at least one"));
        }
        let mut names = BTreeSet::new();
        for net in &text.nets {
            if !is_name(&net.name) || net.name.contains('/') {
                return Err(ManifestError::NetName { net: net.name.clone() });
            }
            if !names.insert(net.name.to_ascii_lowercase()) {
                return Err(ManifestError::NetTwice { net: net.name.clone() });
            }
            let expected = [graph_of(&net.name), weights_of(&net.name)];
            for (expected, found) in expected.into_iter().zip([&net.graph, &net.weights]) {
                if *found != expected {
                    let (net, found) = (net.name.clone(), found.clone());
                    return Err(ManifestError::NetEntry { net, found, expected });
                }
            }
        }
        for entry in &text.entries {
            let digits = |digits: &str| digits.bytes().all(|b| b"0123456789abcdef".contains(&b));
            if entry.sha256.len() != 64 || !digits(&entry.sha256) {
                return Err(value("sha256", &entry.sha256, "64 lower-case hexadecimal digits"));
            }
        }
        Self(text).with_entries_in_order()
    }

    /// Each net's two entries, then those for people.
    fn with_entries_in_order(self) -> Result<Self, ManifestError> {
        let nets = self.0.nets.iter().flat_map(|net| [net.graph.as_str(), &net.weights]);
        let people = [PREVIEW, REPORT].into_iter();
        let people = people.filter(|name| self.0.entries.iter().any(|entry| entry.name == *name));
        let expected: Vec<&str> = nets.chain(people).collect();
        let found: Vec<&str> = self.0.entries.iter().map(|entry| entry.name.as_str()).collect();
        if expected == found {
            return Ok(self);
        }
        Err(ManifestError::Order { expected: expected.join(", "), found: found.join(", ") })
    }

    /// Compares with the entries that the file has after the manifest.
    pub(super) fn check_entries(&self, file: &[Placed]) -> Result<(), ManifestError> {
        let said = |name: &str, bytes: u64| format!("{name}, {bytes} bytes");
        for index in 0..file.len().max(self.0.entries.len()) {
            let listed = self.0.entries.get(index).map(|entry| said(&entry.name, entry.bytes));
            let found = file.get(index).map(|entry| said(&entry.listed.name, entry.listed.size));
            if listed != found {
                let or_nothing = |name: Option<String>| name.unwrap_or_else(|| "nothing".into());
                let (listed, found) = (or_nothing(listed), or_nothing(found));
                return Err(ManifestError::Entry { index, listed, found });
            }
        }
        Ok(())
    }

    /// What the bundle is.
    pub fn description(&self) -> &Description {
        &self.0.bundle
    }

    /// In the order of the file.
    pub fn nets(&self) -> &[Net] {
        &self.0.nets
    }

    /// In the order of the file, without the manifest.
    pub fn entries(&self) -> &[Entry] {
        &self.0.entries
    }

    /// Finds a net.
    ///
    /// # Errors
    /// [`BundleError::Net`]
    pub fn net(&self, name: &str) -> Result<&Net, BundleError> {
        self.nets().iter().find(|net| net.name == name).ok_or_else(|| BundleError::Net {
            net: name.into(),
            nets: self.nets().iter().map(|net| net.name.clone()).collect(),
        })
    }
}

impl Net {
    /// As a program has it.
    ///
    /// # Errors
    /// [`ManifestError::Ports`] where a port's value is not the program's.
    pub(super) fn of(program: &Program) -> Result<Self, ManifestError> {
        let ports = |ports: &[crate::runtime::program::Port]| {
            let port = |port: &crate::runtime::program::Port| {
                let value = program.values.get(port.value)?;
                Some(Port { name: port.name.clone(), shape: value.shape.clone() })
            };
            let ports: Option<Vec<Port>> = ports.iter().map(port).collect();
            ports.ok_or_else(|| ManifestError::Ports { net: program.name.clone() })
        };
        Ok(Self {
            graph: graph_of(&program.name),
            weights: weights_of(&program.name),
            inputs: ports(&program.inputs)?,
            outputs: ports(&program.outputs)?,
            name: program.name.clone(),
        })
    }
}

fn graph_of(net: &str) -> String {
    format!("graphs/{net}.toml")
}

fn weights_of(net: &str) -> String {
    format!("weights/{net}.bin")
}

/// What a TOML reader says, in one line.
fn reason(error: &toml::de::Error) -> ManifestError {
    ManifestError::Text { reason: error.message().replace('\n', ", ") }
}

/// Neither more nor fewer numbers: TOML's reader takes the first two of three.
fn height_and_width<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    let found = Vec::<usize>::deserialize(deserializer)?;
    <[usize; 2]>::try_from(found)
        .map_err(|found| D::Error::custom(format!("{found:?}, expected height and width")))
}

/// Sets of instructions by name.
mod instruction_names {
    use kernels::features::Isa;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(sets: &[Isa], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(sets.iter().map(|set| set.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Isa>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let set = |name: &String| {
            Isa::ALL.into_iter().find(|set| set.name() == name).ok_or_else(|| {
                let names = Isa::ALL.map(Isa::name).join(", ");
                D::Error::custom(format!("set of instructions `{name}`: expected one of {names}"))
            })
        };
        names.iter().map(set).collect()
    }
}
