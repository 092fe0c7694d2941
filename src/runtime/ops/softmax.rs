//! Softmax over the last axis.

use super::operands::{float, row_shares, rows_of, same_shape};
use super::{Call, Context, Execute};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::Step;
use kernels::kernel::Kernel;
use kernels::softmax::{Softmax, Version};

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let [x] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    float(step, x)?;
    float(step, y)?;
    same_shape(step, x, y)?;
    Ok(Box::new(Ready {
        kernel: Kernel::first(context.features),
        softmax: Softmax { columns: x.channels(), scale: 1.0 },
    }))
}

#[derive(Debug)]
struct Ready {
    kernel: Kernel<Version>,
    softmax: Softmax,
}

impl Execute for Ready {
    fn run(&self, call: Call) {
        let Call { inputs, outputs, pool, scratch, .. } = call;
        let x = inputs[0].input().expect("floats, as was checked");
        let value = inputs[0].value;
        let columns = self.softmax.columns;
        let ranges = row_shares(value.rows(), columns * value.element.size(), pool.threads());
        pool.for_each(outputs[0].split_rows(&ranges), scratch, |mut part, _| {
            let from = rows_of(x, part.rows.clone(), columns);
            self.kernel.run(self.softmax, from, part.elements());
        });
    }
}
