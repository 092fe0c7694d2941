//! An image enlarged to twice its size before a convolution: `conv(nearest(x)) = conv'(x)`, where conv' enlarges as it reads.

use super::{rebuild, shape};
use crate::nn::{self, Convolution, Layer, Resize, Sampling};
use tract_core::internal::*;

/// Convolutions of an image that was resized to the nearest at twice its size take the image itself, with
/// [`Convolution::enlargement`] 2; their padding stays, since it counts pixels of the enlarged image.
///
/// # Errors
/// Where tract refuses the graph.
pub fn fold_enlargement(model: &TypedModel) -> TractResult<TypedModel> {
    let folded = rebuild(model, |rebuilt, node, inputs| {
        let Some(Layer::Convolution(convolution @ Convolution { enlargement: 1, .. })) =
            nn::layer(node)
        else {
            return Ok(None);
        };
        let resize = rebuilt.model.node(inputs[0].node);
        let Some(Layer::Resize(Resize { height, width, sampling: Sampling::Nearest })) =
            nn::layer(resize)
        else {
            return Ok(None);
        };
        let small = resize.inputs[0];
        match shape(&rebuilt.model, small) {
            Some([_, h, w, _]) if [2 * h, 2 * w] == [*height, *width] => {}
            _ => return Ok(None),
        }
        let convolution = Convolution { enlargement: 2, ..convolution.clone() };
        let layer = Layer::Convolution(convolution);
        let outlet = nn::add(&mut rebuilt.model, &node.name, layer, &[small])?;
        Ok(Some(tvec![outlet]))
    })?;
    super::prune(&folded)
}
