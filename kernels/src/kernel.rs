//! The tables: which versions of an operation there are, what each needs, and the proof that one may run.

use crate::attention::{AttentionRow, Int8};
use crate::depthwise::DepthwiseRow;
use crate::features::{Features, Isa, Schedule};
use crate::gemm::GemmRow;
use crate::gemm_i4::GemmI4Row;
use crate::gemv::GemvRow;
use crate::winograd::WinogradRow;
use half::f16;
use std::fmt;

/// What dispatch, tests, benches and the start-up log know of a version, whatever its operation.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// `<operation>_<element>_<tile>_<engine>[_<instruction>][_<core>]`; a test rebuilds it from the fields below.
    pub name: &'static str,
    /// The module's name.
    pub operation: &'static str,
    /// `i8`, `f16`, `f32`, `u8`, or what goes in and comes out: `f16_i8`.
    pub element: &'static str,
    /// What one pass of the inner loop computes, `8x12x4`; empty where there is no such thing.
    pub tile: &'static str,
    /// The instruction sets that it uses; none for the plain version.
    pub needs: &'static [Isa],
    /// The kind of core that its order of instructions is meant for.
    pub schedule: Schedule,
}

impl Identity {
    /// The name that the fields spell.
    pub fn spelled(&self) -> String {
        let mut words = vec![self.operation, self.element];
        if !self.tile.is_empty() {
            words.push(self.tile);
        }
        match self.needs {
            [] => words.push("scalar"),
            [first, rest @ ..] => {
                words.push(first.name());
                // `neon_fp16`, `neon_dotprod` together: the engine once.
                words.extend(
                    rest.iter().map(|isa| isa.name().rsplit('_').next().unwrap_or_default()),
                );
            }
        }
        if self.schedule == Schedule::InOrder {
            words.push("inorder");
        }
        words.join("_")
    }
}

/// A version of an operation as its table holds it: an identity and the functions behind it.
pub trait Row: Sized + Sync + 'static {
    /// Every version: the best first, the plain one last.
    const TABLE: &'static [Self];

    /// Its name and needs.
    fn identity(&self) -> &Identity;
}

/// A row of a table that this CPU can run. Only [`Kernel::supported`] makes one, so holding it is the proof.
pub struct Kernel<R: 'static>(&'static R);

impl<R> fmt::Debug for Kernel<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "Kernel<{}>", std::any::type_name::<R>())
    }
}

impl<R> Clone for Kernel<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Kernel<R> {}

impl<R: Row> Kernel<R> {
    /// The rows that a CPU with these features can run, those for its kind of core first.
    pub fn supported(features: Features) -> impl Iterator<Item = Self> {
        let runs = move |row: &&R| features.has(row.identity().needs);
        let meant = move |row: &&R| row.identity().schedule == features.schedule();
        let own = R::TABLE.iter().filter(runs).filter(meant);
        let others = R::TABLE.iter().filter(runs).filter(move |row| !meant(row));
        own.chain(others).map(Kernel)
    }

    /// The row that dispatch takes unless the operation knows better: the first.
    ///
    /// # Panics
    /// Where the table lacks the plain version.
    pub fn first(features: Features) -> Self {
        Self::supported(features).next().expect("a table ends with the plain version")
    }

    /// The row of this name, where the CPU can run it.
    pub fn named(name: &str, features: Features) -> Option<Self> {
        Self::supported(features).find(|kernel| kernel.identity().name == name)
    }

    /// The plain version.
    ///
    /// # Panics
    /// Where the table lacks it.
    pub fn plain() -> Self {
        Kernel(
            R::TABLE
                .iter()
                .find(|row| row.identity().needs.is_empty())
                .expect("a table ends with the plain version"),
        )
    }

    /// Its name and needs.
    pub fn identity(self) -> &'static Identity {
        self.0.identity()
    }

    /// The proof for a row that this one is made of and that needs no more.
    pub(crate) fn part<Q>(self, part: fn(&'static R) -> &'static Q) -> Kernel<Q> {
        Kernel(part(self.0))
    }

    /// The row, whose functions the caller may now call.
    pub(crate) fn row(self) -> &'static R {
        self.0
    }
}

/// A table as lists of kernels see it: its rows, and which one dispatch takes.
pub struct Listing {
    /// Every version, whether or not this CPU can run it.
    pub rows: Vec<&'static Identity>,
    /// The versions that it can run, the one that dispatch takes unless the operation knows better first.
    pub supported: Vec<&'static Identity>,
}

/// The tables of all operations.
pub fn listings(features: Features) -> impl Iterator<Item = Listing> {
    TABLES.iter().map(move |table| table(features))
}

/// Every version of every operation, whether or not this CPU can run it.
pub fn identities() -> impl Iterator<Item = &'static Identity> {
    listings(Features::detect()).flat_map(|listing| listing.rows)
}

type Table = fn(Features) -> Listing;

fn rows<R: Row>(features: Features) -> Listing {
    Listing {
        rows: R::TABLE.iter().map(Row::identity).collect(),
        supported: Kernel::<R>::supported(features).map(Kernel::identity).collect(),
    }
}

/// One line an operation.
const TABLES: &[Table] = &[
    rows::<GemmRow<i8>>,
    rows::<GemmRow<f16>>,
    rows::<GemmRow<f32>>,
    rows::<GemvRow<i8>>,
    rows::<GemvRow<f16>>,
    rows::<GemvRow<f32>>,
    rows::<DepthwiseRow<i8>>,
    rows::<DepthwiseRow<f16>>,
    rows::<DepthwiseRow<f32>>,
    rows::<WinogradRow<f16>>,
    rows::<WinogradRow<f32>>,
    rows::<AttentionRow<f32>>,
    rows::<AttentionRow<f16>>,
    rows::<AttentionRow<Int8<f32>>>,
    rows::<AttentionRow<Int8<f16>>>,
    rows::<crate::group_norm::Version>,
    rows::<crate::layer_norm::Version>,
    rows::<crate::rms_norm::Version>,
    rows::<crate::softmax::Version>,
    rows::<crate::gated::Version>,
    rows::<crate::activation::Version>,
    rows::<crate::blend::BlendRow>,
    rows::<crate::blur::BlurRow>,
    rows::<crate::broadcast::BroadcastRow<f16>>,
    rows::<crate::broadcast::BroadcastRow<f32>>,
    rows::<crate::broadcast::BroadcastRow<i8>>,
    rows::<crate::convert::ConvertRow<f16, f32>>,
    rows::<crate::convert::ConvertRow<f16, i8>>,
    rows::<crate::convert::ConvertRow<f32, f16>>,
    rows::<crate::convert::ConvertRow<f32, i8>>,
    rows::<crate::convert::ConvertRow<i8, f16>>,
    rows::<crate::convert::ConvertRow<i8, f32>>,
    rows::<crate::convert::ConvertRow<i8, i8>>,
    rows::<crate::image_resize::ImageResizeRow>,
    rows::<crate::interpolate::InterpolateRow<f16>>,
    rows::<crate::interpolate::InterpolateRow<f32>>,
    rows::<crate::interpolate::InterpolateRow<i8>>,
    rows::<crate::moments::MomentsRow>,
    rows::<crate::normalise::NormaliseRow<f16>>,
    rows::<crate::normalise::NormaliseRow<f32>>,
    rows::<crate::normalise::NormaliseRow<i8>>,
    rows::<crate::pool::PoolRow<f16>>,
    rows::<crate::pool::PoolRow<f32>>,
    rows::<crate::pool::PoolRow<i8>>,
    rows::<crate::rotary::RotaryRow<f16>>,
    rows::<crate::rotary::RotaryRow<f32>>,
    rows::<crate::warp::WarpRow>,
    rows::<crate::yuv::YuvRow>,
    rows::<GemmI4Row>,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_spells_its_row() {
        let mut names = HashSet::new();
        for identity in identities() {
            assert_eq!(identity.name, identity.spelled());
            assert!(names.insert(identity.name), "two rows are named {}", identity.name);
        }
    }

    #[test]
    fn every_table_ends_with_its_plain_version() {
        for Listing { rows, .. } in listings(Features::detect()) {
            assert!(rows.last().unwrap().needs.is_empty(), "{}", rows[0].operation);
        }
    }

    #[test]
    fn without_features_every_operation_has_its_plain_version() {
        for Listing { supported, .. } in listings(Features::detect().baseline()) {
            assert!(!supported.is_empty());
            assert!(supported.iter().all(|row| row.needs.is_empty()), "{}", supported[0].name);
        }
    }
}
