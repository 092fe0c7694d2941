"""Picture files: palettes keep the noise of cloth small."""

import io
import warnings

import numpy as np
from PIL import Image
from scipy.cluster.vq import kmeans2


def rgba_png(rgba):
    """A PNG of all colours, for pictures with large half-transparent parts."""
    clean = np.where(rgba[..., 3:] > 0, rgba, 0).astype(np.uint8)
    return encoded(Image.fromarray(clean, "RGBA"), "PNG", optimize=True)


def palette_png(rgba, solid=208):
    """A PNG of 256 colours with alpha: most for the opaque inside, the rest for the soft edge."""
    alpha = rgba[..., 3]
    clear = alpha == 0
    full = (alpha >= 250) & ~clear
    edge = ~full & ~clear
    colours = Image.fromarray(rgba[full][:, :3].reshape(1, -1, 3)).quantize(
        solid, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
    )
    inside = np.array(colours.getpalette()).reshape(-1, 3)[:solid]
    palette = np.zeros((256, 4), np.uint8)
    palette[1 : 1 + len(inside), :3], palette[1 : 1 + len(inside), 3] = inside, 255
    index = np.zeros(alpha.shape, np.uint8)
    index[full] = np.asarray(colours)[0] + 1
    first = 1 + len(inside)
    soft = rgba[edge].astype(np.float64) * [0.5, 0.5, 0.5, 1.0]
    order = np.argsort(soft[:, 3], kind="stable")
    centres = soft[order[np.linspace(0, len(soft) - 1, 256 - first).astype(int)]]
    if len(np.unique(soft, axis=0)) > len(centres):
        centres = centres + np.random.default_rng(0).normal(0, 0.01, centres.shape)
        with warnings.catch_warnings():
            # A cluster that no pixel is nearest to leaves its palette entry unused.
            warnings.simplefilter("ignore")
            centres, label = kmeans2(soft, centres, iter=12, minit="matrix")
    else:
        label = ((soft[:, None] - centres[None]) ** 2).sum(2).argmin(1)
    palette[first:] = np.clip(np.round(centres / [0.5, 0.5, 0.5, 1.0]), 0, 255)
    index[edge] = first + label
    picture = Image.fromarray(index, "P")
    picture.putpalette(palette[:, :3].tobytes())
    return encoded(picture, "PNG", optimize=True, transparency=bytes(palette[:, 3].tolist()))


def rgb_png(rgb, colours=256):
    picture = Image.fromarray(rgb).quantize(
        colours, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
    )
    return encoded(picture, "PNG", optimize=True)


def jpeg(rgb):
    return encoded(Image.fromarray(rgb), "JPEG", quality=88, optimize=True, subsampling=0)


def webp(rgb):
    return encoded(Image.fromarray(rgb), "WEBP", quality=88, method=5)


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
