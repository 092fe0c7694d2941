//! Values that do not depend on what the net reads.

use super::{Call, Context, Execute, Tensor, refused};
use crate::runtime::engine::RuntimeError;
use crate::runtime::program::{Element, Op, Step};

#[derive(Debug)]
struct Constant {
    values: Tensor<f32>,
}

pub(super) fn prepare(context: &Context, step: &Step) -> Result<Box<dyn Execute>, RuntimeError> {
    let Op::Constant { values } = &step.op else { unreachable!("dispatched by operation") };
    let [] = context.inputs(step)?;
    let [y] = context.outputs(step)?;
    if y.element != Element::F32 {
        return Err(refused(step, format!("a constant is f32, found {:?}", y.element)));
    }
    let values = context.tensor(step, "values", *values, y.elements())?;
    Ok(Box::new(Constant { values }))
}

impl Execute for Constant {
    fn run(&self, call: Call) {
        call.outputs[0].all().f32().copy_from_slice(&self.values);
    }
}
