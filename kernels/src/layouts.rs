//! In which orders the kernels of a kind of CPU read weights: known on every machine, so that a workstation can pack for another's CPU.

use crate::features::{Features, Isa};
use crate::{gemm, winograd};

/// int8 products of fewer values of k than this take the narrower tiles where there are any: see
/// [`Kernel::pick`](crate::kernel::Kernel::pick).
pub const FEW: usize = 128;

/// The most columns of f32 products that are computed one by one, with lanes along k.
pub const SINGLES: usize = 4;

/// The layouts that dispatch takes on a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layouts {
    /// int8 products of few values of k: see [`Layouts::gemm_i8`].
    pub few_i8: gemm::Layout,
    /// int8 products of many values of k.
    pub many_i8: gemm::Layout,
    /// Products of halves.
    pub gemm_f16: gemm::Layout,
    /// Products of floats.
    pub gemm_f32: gemm::Layout,
    /// Of narrower panels for products of floats with few columns and many rows, the narrowest first: see [`Layouts::few_f32`].
    pub narrow_f32: &'static [gemm::Layout],
    /// int4 products.
    pub gemm_i4: gemm::Layout,
    /// Output channels of a panel and the multiple of input channels, by Winograd in f16.
    pub winograd_f16: [usize; 2],
    /// The same in f32.
    pub winograd_f32: [usize; 2],
}

impl Layouts {
    /// The layouts of a CPU that has these sets of instructions, and no others: each set stands for itself alone.
    pub fn of(sets: &[Isa]) -> Self {
        let without_wide: Vec<Isa> =
            sets.iter().copied().filter(|&isa| isa != Isa::Avx512Vnni).collect();
        let narrow = sets.contains(&Isa::AvxVnni);
        Self {
            few_i8: first(GEMM_I8, if narrow { &without_wide } else { sets }),
            many_i8: first(GEMM_I8, sets),
            gemm_f16: first(GEMM_F16, sets),
            gemm_f32: first(GEMM_F32, sets),
            narrow_f32: first(NARROW_F32, sets),
            gemm_i4: first(GEMM_I4, sets),
            winograd_f16: first(WINOGRAD_F16, sets),
            winograd_f32: first(WINOGRAD_F32, sets),
        }
    }

    /// The layouts of a CPU with these features.
    pub fn here(features: Features) -> Self {
        Self::of(&features.sets().collect::<Vec<_>>())
    }

    /// Of an int8 product with `k` values of k.
    pub fn gemm_i8(&self, k: usize) -> gemm::Layout {
        if k < FEW { self.few_i8 } else { self.many_i8 }
    }

    /// Of a product of floats with `columns` columns and many rows.
    pub fn few_f32(&self, columns: usize) -> gemm::Layout {
        // Three narrow panels are less than two wide ones.
        let thirds = |nr: usize| 2 * nr == self.gemm_f32.nr && columns.div_ceil(nr) == 3;
        let fits = |layout: &gemm::Layout| match layout.nr {
            1 => columns <= SINGLES,
            nr => columns <= nr || thirds(nr),
        };
        self.narrow_f32.iter().copied().find(fits).unwrap_or(self.gemm_f32)
    }

    /// Of a convolution by Winograd's method in f16, with a tile of so many outputs.
    pub fn winograd_f16(&self, tile: [usize; 2]) -> winograd::Layout {
        winograd::Layout { tile, nr: self.winograd_f16[0], group: self.winograd_f16[1] }
    }

    /// The same in f32.
    pub fn winograd_f32(&self, tile: [usize; 2]) -> winograd::Layout {
        winograd::Layout { tile, nr: self.winograd_f32[0], group: self.winograd_f32[1] }
    }
}

/// Layouts by the set of instructions that a version needs, in the order of its operation's table.
type ByIsa<L> = &'static [(Isa, L)];

/// The first layout whose set is there, else the plain version's.
fn first<L: Copy + Plain>(table: ByIsa<L>, sets: &[Isa]) -> L {
    let found = table.iter().find(|(isa, _)| sets.contains(isa));
    found.map_or(L::PLAIN, |&(_, layout)| layout)
}

trait Plain {
    const PLAIN: Self;
}

impl Plain for gemm::Layout {
    const PLAIN: Self = PLAIN;
}

impl Plain for &'static [gemm::Layout] {
    const PLAIN: Self = &[];
}

impl Plain for [usize; 2] {
    const PLAIN: Self = WINOGRAD_PLAIN;
}

/// The layout of a version: that of its set, or the plain one's.
const fn of<L: Copy>(table: ByIsa<L>, isa: Isa) -> L {
    let mut index = 0;
    while index < table.len() {
        if table[index].0 as u8 == isa as u8 {
            return table[index].1;
        }
        index += 1;
    }
    panic!("no version needs this set")
}

pub(crate) const PLAIN: gemm::Layout = gemm::Layout { nr: 1, kr: 1 };
pub(crate) const EIGHT: gemm::Layout = gemm::Layout { nr: 8, kr: 1 };
pub(crate) const SIXTEEN: gemm::Layout = gemm::Layout { nr: 16, kr: 1 };
pub(crate) const WINOGRAD_PLAIN: [usize; 2] = [1, 1];

const GEMM_I8: ByIsa<gemm::Layout> = &[
    (Isa::Avx512Vnni, gemm::Layout { nr: 32, kr: 4 }),
    (Isa::AvxVnni, gemm::Layout { nr: 16, kr: 4 }),
    (Isa::Avx2, gemm::Layout { nr: 16, kr: 2 }),
    (Isa::NeonI8mm, gemm::Layout { nr: 8, kr: 8 }),
    (Isa::NeonDotprod, gemm::Layout { nr: 8, kr: 4 }),
    (Isa::Neon, gemm::Layout { nr: 4, kr: 16 }),
];

const GEMM_F16: ByIsa<gemm::Layout> = &[
    (Isa::Avx512, gemm::Layout { nr: 32, kr: 1 }),
    (Isa::Avx2, gemm::Layout { nr: 16, kr: 1 }),
    (Isa::NeonFp16, gemm::Layout { nr: 16, kr: 1 }),
    (Isa::Neon, gemm::Layout { nr: 8, kr: 1 }),
];

const GEMM_F32: ByIsa<gemm::Layout> = &[
    (Isa::Avx512, gemm::Layout { nr: 32, kr: 1 }),
    (Isa::Avx2, gemm::Layout { nr: 16, kr: 1 }),
    (Isa::Neon, gemm::Layout { nr: 8, kr: 1 }),
];

const NARROW_F32: ByIsa<&[gemm::Layout]> =
    &[(Isa::Avx512, &[PLAIN, EIGHT, SIXTEEN]), (Isa::Avx2, &[PLAIN, EIGHT]), (Isa::Neon, &[PLAIN])];

const GEMM_I4: ByIsa<gemm::Layout> = &[
    (Isa::Avx512Vnni, gemm::Layout { nr: 16, kr: 4 }),
    (Isa::AvxVnni, gemm::Layout { nr: 16, kr: 4 }),
    (Isa::Avx2, gemm::Layout { nr: 16, kr: 4 }),
    (Isa::NeonI8mm, gemm::Layout { nr: 8, kr: 8 }),
    (Isa::NeonDotprod, gemm::Layout { nr: 8, kr: 4 }),
    (Isa::Neon, gemm::Layout { nr: 4, kr: 16 }),
];

const WINOGRAD_F16: ByIsa<[usize; 2]> =
    &[(Isa::NeonFp16, [16, 8]), (Isa::Neon, [8, 4]), (Isa::Avx512, [32, 16]), (Isa::Avx2, [16, 8])];

const WINOGRAD_F32: ByIsa<[usize; 2]> =
    &[(Isa::Neon, [8, 4]), (Isa::Avx512, [32, 16]), (Isa::Avx2, [16, 8])];

/// Of the int8 multiply that needs this set.
pub(crate) const fn gemm_i8(isa: Isa) -> gemm::Layout {
    of(GEMM_I8, isa)
}

/// Of the multiply of halves that needs this set.
pub(crate) const fn gemm_f16(isa: Isa) -> gemm::Layout {
    of(GEMM_F16, isa)
}

/// Of the multiply of floats that needs this set.
pub(crate) const fn gemm_f32(isa: Isa) -> gemm::Layout {
    of(GEMM_F32, isa)
}

/// Of the int4 multiply that needs this set.
pub(crate) const fn gemm_i4(isa: Isa) -> gemm::Layout {
    of(GEMM_I4, isa)
}

/// Of the convolution by Winograd's method with elements of so many bytes that needs this set.
pub(crate) const fn winograd(bytes: usize, isa: Isa, tile: [usize; 2]) -> winograd::Layout {
    let [nr, group] = if bytes == 2 { of(WINOGRAD_F16, isa) } else { of(WINOGRAD_F32, isa) };
    winograd::Layout { tile, nr, group }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Schedule;
    use crate::gemm::GemmRow;
    use crate::gemm_i4::GemmI4Row;
    use crate::kernel::Kernel;
    use crate::winograd::WinogradRow;
    use half::f16;

    /// Every subset of what this CPU has, for both kinds of cores.
    fn narrowings() -> impl Iterator<Item = Features> {
        let all = Features::detect();
        let words: Vec<&str> = all.sets().map(Isa::name).collect();
        (0..1_usize << words.len()).flat_map(move |subset| {
            let chosen: Vec<&str> = words
                .iter()
                .enumerate()
                .filter(|(index, _)| subset >> index & 1 == 1)
                .map(|(_, word)| *word)
                .collect();
            let features = all.narrowed(&chosen.join(",")).unwrap();
            [Schedule::OutOfOrder, Schedule::InOrder].map(|schedule| features.scheduled(schedule))
        })
    }

    #[test]
    fn layouts_are_those_of_the_versions_that_dispatch_takes() {
        let mut seen = 0;
        for features in narrowings() {
            let layouts = Layouts::here(features);
            let sets: Vec<Isa> = features.sets().collect();
            for k in [1, FEW - 1, FEW, 4096] {
                let kernel = Kernel::<GemmRow<i8>>::pick(features, k);
                assert_eq!(layouts.gemm_i8(k), kernel.layout(), "int8, k = {k}, {sets:?}");
                let kernel = Kernel::<GemmRow<f16>>::pick(features, k);
                assert_eq!(layouts.gemm_f16, kernel.layout(), "f16, k = {k}, {sets:?}");
                let kernel = Kernel::<GemmRow<f32>>::pick(features, k);
                assert_eq!(layouts.gemm_f32, kernel.layout(), "f32, k = {k}, {sets:?}");
            }
            for layout in layouts.narrow_f32 {
                let found = Kernel::<GemmRow<f32>>::with_layout(*layout, features).unwrap();
                assert!(!found.identity().needs.is_empty(), "{layout:?}, {sets:?}");
            }
            let kernel = Kernel::<GemmI4Row>::first(features);
            assert_eq!(layouts.gemm_i4, kernel.layout(), "int4, {sets:?}");
            let best = Kernel::<WinogradRow<f16>>::first(features);
            for kernel in Kernel::<WinogradRow<f16>>::supported(features)
                .filter(|kernel| kernel.identity().needs == best.identity().needs)
            {
                let layout = kernel.layout();
                assert_eq!(layouts.winograd_f16(layout.tile), layout, "f16, {sets:?}");
                let found = Kernel::<WinogradRow<f16>>::with_layout(layout, features);
                assert_eq!(found.unwrap().identity().name, kernel.identity().name);
            }
            let best = Kernel::<WinogradRow<f32>>::first(features);
            for kernel in Kernel::<WinogradRow<f32>>::supported(features)
                .filter(|kernel| kernel.identity().needs == best.identity().needs)
            {
                let layout = kernel.layout();
                assert_eq!(layouts.winograd_f32(layout.tile), layout, "f32, {sets:?}");
                let found = Kernel::<WinogradRow<f32>>::with_layout(layout, features);
                assert_eq!(found.unwrap().identity().name, kernel.identity().name);
            }
            seen += 1;
        }
        assert_eq!(seen, 2 << Features::detect().sets().count());
    }

    #[test]
    fn other_machines_layouts_are_known_here() {
        let pi5 = Layouts::of(&[Isa::Neon, Isa::NeonDotprod, Isa::NeonFp16]);
        assert_eq!(pi5.gemm_i8(4096), gemm::Layout { nr: 8, kr: 4 });
        assert_eq!(pi5.gemm_f16, gemm::Layout { nr: 16, kr: 1 });
        let wide = Layouts::of(&[Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Avx512Vnni]);
        assert_eq!(wide.gemm_i8(FEW - 1), gemm::Layout { nr: 16, kr: 4 });
        assert_eq!(wide.gemm_i8(FEW), gemm::Layout { nr: 32, kr: 4 });
        assert_eq!(Layouts::of(&[]).gemm_i8(FEW), gemm::Layout { nr: 1, kr: 1 });
        let columns = [1, SINGLES, 5, 8, 9, 16, 17, 33, 48, 49];
        assert_eq!(columns.map(|n| wide.few_f32(n).nr), [1, 1, 8, 8, 16, 16, 32, 16, 16, 32]);
        assert_eq!(columns.map(|n| pi5.few_f32(n).nr), [1, 1, 8, 8, 8, 8, 8, 8, 8, 8]);
    }
}
