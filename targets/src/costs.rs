//! What layers cost on a core, in cycles: TOML files in `costs/`, one a core, each with the command that its figures come from.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What a core needs for layers of each kind.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// The core: the file's name.
    pub core: String,
    /// Where the figures come from: commands, and what was taken from what they print.
    pub source: String,
    mac_per_cycle: BTreeMap<Product, BTreeMap<Precision, f64>>,
    cycles_per_element: BTreeMap<Pointwise, f64>,
}

/// A kind of layer that multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// Convolution of several taps, tap by tap.
    Convolution,
    /// 3×3 convolution by Winograd's method; counts the multiplications of the direct one.
    Winograd,
    /// Matrix multiply, and convolution of one tap.
    Linear,
    /// Convolution of each channel alone.
    Depthwise,
    /// Attention: queries by keys, softmax, weights by values; counts the multiplications of both products.
    Attention,
}

/// A kind of layer whose time goes by its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pointwise {
    /// Group norm with SiLU, quantized.
    GroupNorm,
    /// Layer norm and RMS norm.
    LayerNorm,
    /// Activation functions that are not fused: figures are of gated GELU, an element being one of the output.
    Activation,
    /// Softmax outside attention.
    Softmax,
}

/// What a layer computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum Precision {
    I8,
    F16,
    F32,
}

/// Why a text is no table of costs.
#[derive(Debug, thiserror::Error)]
pub enum CostsError {
    /// Not TOML, or a field is missing, unknown or of the wrong type.
    #[error("not a table of costs")]
    Table(#[from] toml::de::Error),
    /// A figure that is 0, negative or not finite.
    #[error("`{field}` is {found}, expected a positive number")]
    NotPositive {
        /// The field.
        field: String,
        /// The figure.
        found: f64,
    },
    /// A kind of layer without any figure.
    #[error("`{field}` is missing, expected a figure for every kind of layer")]
    Missing {
        /// The field.
        field: String,
    },
}

impl Product {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Convolution, Self::Winograd, Self::Linear, Self::Depthwise, Self::Attention];
}

impl Pointwise {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::GroupNorm, Self::LayerNorm, Self::Activation, Self::Softmax];
}

const TABLES: [&str; 5] = [
    include_str!("../costs/cortex-a72.toml"),
    include_str!("../costs/cortex-a76.toml"),
    include_str!("../costs/cortex-x3.toml"),
    include_str!("../costs/avx2.toml"),
    include_str!("../costs/avx512_vnni.toml"),
];

impl Costs {
    /// Reads a table.
    ///
    /// # Errors
    /// A [`CostsError`] that names the field.
    pub fn parse(text: &str) -> Result<Self, CostsError> {
        let costs: Self = toml::from_str(text)?;
        for kind in Product::ALL {
            let field = || format!("mac_per_cycle.{kind:?}");
            let figures = costs.mac_per_cycle.get(&kind).filter(|figures| !figures.is_empty());
            let figures = figures.ok_or_else(|| CostsError::Missing { field: field() })?;
            for (precision, &found) in figures {
                let field = || format!("mac_per_cycle.{kind:?}.{precision:?}");
                positive(field, found)?;
            }
        }
        for kind in Pointwise::ALL {
            let field = || format!("cycles_per_element.{kind:?}");
            let found = costs.cycles_per_element.get(&kind);
            positive(field, *found.ok_or_else(|| CostsError::Missing { field: field() })?)?;
        }
        Ok(costs)
    }

    /// All tables that the program was built with.
    ///
    /// # Panics
    /// Never: a test parses every table.
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Costs>> = OnceLock::new();
        ALL.get_or_init(|| {
            let parse = |text: &&str| Self::parse(text).expect("a test parses every table");
            TABLES.iter().map(parse).collect()
        })
    }

    /// The table of a core.
    pub fn of(core: &str) -> Option<&'static Self> {
        Self::all().iter().find(|costs| costs.core == core)
    }

    /// Cycles of one core for a layer of so many multiplications; none where the core's kernels have nothing of this kind in this
    /// precision.
    pub fn cycles(&self, kind: Product, precision: Precision, macs: u64) -> Option<f64> {
        let mac_per_cycle = self.mac_per_cycle.get(&kind)?.get(&precision)?;
        Some(macs as f64 / mac_per_cycle)
    }

    /// Cycles of one core for a layer of so many elements, in the precision that is fastest there.
    ///
    /// # Panics
    /// Never: a table has every kind.
    pub fn element_cycles(&self, kind: Pointwise, elements: u64) -> f64 {
        elements as f64 * self.cycles_per_element[&kind]
    }
}

fn positive(field: impl FnOnce() -> String, found: f64) -> Result<(), CostsError> {
    if found.is_finite() && found > 0.0 {
        Ok(())
    } else {
        Err(CostsError::NotPositive { field: field(), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn every_table_parses_and_is_named_like_its_file() {
        let embedded: BTreeSet<&str> = Costs::all().iter().map(|costs| &costs.core[..]).collect();
        assert_eq!(embedded.len(), TABLES.len(), "two tables of one core");
        let Ok(entries) = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/costs")) else {
            // Under an emulated core the source tree may be elsewhere.
            return;
        };
        let mut files = BTreeSet::new();
        for entry in entries {
            let path = entry.unwrap().path();
            let costs = Costs::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(Some(&costs.core[..]), path.file_stem().unwrap().to_str());
            files.insert(costs.core);
        }
        let embedded: BTreeSet<String> = embedded.into_iter().map(str::to_owned).collect();
        assert_eq!(files, embedded, "a table is missing in TABLES");
    }

    #[test]
    fn a_faster_precision_costs_fewer_cycles() {
        for costs in Costs::all() {
            for kind in [Product::Convolution, Product::Linear] {
                let of = |precision| costs.cycles(kind, precision, 1_000_000).unwrap();
                let core = &costs.core;
                assert!(of(Precision::I8) < of(Precision::F32), "{core}, {kind:?}");
            }
            let of = |kind| costs.cycles(kind, Precision::F32, 1_000_000).unwrap();
            assert!(of(Product::Winograd) < of(Product::Convolution), "{}", costs.core);
            assert_eq!(costs.cycles(Product::Winograd, Precision::I8, 1), None, "{}", costs.core);
            assert!(costs.element_cycles(Pointwise::GroupNorm, 1_000) > 0.0);
        }
    }

    #[test]
    fn each_fault_is_its_own_error() {
        let with = |from: &str, to: &str| {
            assert!(TABLES[1].contains(from), "{from}");
            Costs::parse(&TABLES[1].replace(from, to)).unwrap_err()
        };
        assert!(matches!(with("softmax", "hardmax"), CostsError::Table(_)));
        assert!(matches!(with("softmax = ", "# "), CostsError::Missing { .. }));
        assert!(matches!(with("softmax = ", "softmax = -"), CostsError::NotPositive { .. }));
        assert!(matches!(with("depthwise = {", "depthwise = {} # {"), CostsError::Missing { .. }));
    }
}
