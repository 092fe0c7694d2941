//! One row of A times the packed B of [`gemm`](crate::gemm), any range of whole panels, so that threads can split the columns:
//! `C[n] = act((Σk A[k] · B[k, n] − z·Σk B[k, n]) · row · scale[n] + bias[n] + residual[n])`.
//!
//! | operand | type | shape | layout |
//! |---------|------|-------|--------|
//! | A | i8, f16, f32 | `[1, k]` | one row, as in `gemm` |
//! | B | i8, f16, f32 | `[k, n]` | packed as for a version of `gemm` with the same [`Layout`] |
//! | epilogue | | `[n]` | as in `gemm`: of all columns |
//! | C | i8, f16, f32 | `[1, columns]` | starts at the first column of the range |
//!
//! An int8 product gives the bits of `gemm`. f16 and f32 products are summed in another order, within the same bounds.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
mod neon_fp16;
pub(crate) mod row;
mod scalar;

use crate::features::Features;
use crate::gemm::{Element, GemmRow, I8Rows, Layout, Product, Rows, Weights};
use crate::kernel::{Identity, Kernel, Row};
use half::f16;
use std::ops::Range;

/// A version: that of a multiply whose tiles have one row.
pub struct GemvRow<E: Element>(GemmRow<E>);

impl Row for GemvRow<i8> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512_vnni::GEMV_I8,
        #[cfg(target_arch = "x86_64")]
        avx_vnni::GEMV_I8,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMV_I8,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::GEMV_I8_EIGHTS,
        #[cfg(target_arch = "aarch64")]
        neon_dotprod::GEMV_I8_FOURS,
        #[cfg(target_arch = "aarch64")]
        neon::GEMV_I8,
        scalar::GEMV_I8,
    ];
    fn identity(&self) -> &Identity {
        &self.0.identity
    }
}

impl Row for GemvRow<f16> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512::GEMV_F16,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMV_F16,
        #[cfg(target_arch = "aarch64")]
        neon_fp16::GEMV_F16,
        #[cfg(target_arch = "aarch64")]
        neon::GEMV_F16,
        scalar::GEMV_F16,
    ];
    fn identity(&self) -> &Identity {
        &self.0.identity
    }
}

impl Row for GemvRow<f32> {
    const TABLE: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        avx512::GEMV_F32,
        #[cfg(target_arch = "x86_64")]
        avx2::GEMV_F32,
        #[cfg(target_arch = "aarch64")]
        neon::GEMV_F32,
        scalar::GEMV_F32,
    ];
    fn identity(&self) -> &Identity {
        &self.0.identity
    }
}

impl<E: Element> Kernel<GemvRow<E>>
where
    GemvRow<E>: Row,
    GemmRow<E>: Row,
{
    /// The version for weights that are packed so; none where there is only `gemm`.
    pub fn with_layout(layout: Layout, features: Features) -> Option<Self> {
        Self::supported(features).find(|kernel| kernel.layout() == layout)
    }

    /// How the weights of this version are packed.
    pub fn layout(self) -> Layout {
        self.multiply().layout()
    }

    /// Bytes of working memory.
    pub fn scratch_bytes(self, weights: &Weights<E>) -> usize {
        self.multiply().scratch_bytes(1, weights)
    }

    fn multiply(self) -> Kernel<GemmRow<E>> {
        self.part(|row| &row.0)
    }
}

/// The product of a range of columns.
fn part<E: Element, T>(
    product: Product<'_, E>,
    columns: &Range<usize>,
    run: impl FnOnce(Product<'_, E>) -> T,
) -> T {
    let Product { rows, weights, epilogue, output } = product;
    assert_eq!(rows, 1, "rows of a product of one row");
    epilogue.check(1, weights.n());
    let (weights, epilogue) = (&weights.columns(columns), epilogue.columns(columns));
    run(Product { rows, weights, epilogue, output })
}

impl Kernel<GemvRow<i8>> {
    /// Multiplies a row by a range of columns, quantizing it where it is not int8.
    ///
    /// # Panics
    /// Where a slice is too short for the shape, the weights are packed for another layout, or the range is not of whole panels.
    pub fn run(self, a: I8Rows, columns: Range<usize>, product: Product<i8>, scratch: &mut [u8]) {
        part(product, &columns, |product| self.multiply().run(a, product, scratch));
    }
}

macro_rules! same_type_gemv {
    ($element:ty) => {
        impl Kernel<GemvRow<$element>> {
            /// Multiplies a row by a range of columns.
            ///
            /// # Panics
            /// Where a slice is too short for the shape, the weights are packed for another layout, or the range is not
            /// of whole panels.
            pub fn run(
                self,
                a: Rows<$element>,
                columns: Range<usize>,
                product: Product<$element>,
                scratch: &mut [u8],
            ) {
                part(product, &columns, |product| self.multiply().run(a, product, scratch));
            }
        }
    };
}

same_type_gemv!(f16);
same_type_gemv!(f32);
