"""What is sewn or riveted onto garments."""

import numpy as np

import fabrics
from cloth import ramp, smooth


def button(piece, at, radius, base, metal=False, holes=True, thread="#e8e4da"):
    """A sewn or riveted button."""
    t = np.linspace(0, 2 * np.pi, 40)[:-1]
    ring = lambda r: np.stack([at[0] + r * np.cos(t), at[1] + r * np.sin(t)], 1)
    layer = piece.layer(ring(radius), base, thick=3, edge=2.5, shadow=0.5, rough=0, sheen=0.25 if metal else 0.06)
    layer.dome = 0.0
    d = np.hypot(piece.x - at[0], piece.y - at[1])
    if metal:
        layer.height += 1.6 * np.exp(-(((d - 0.72 * radius) / (0.16 * radius)) ** 2)) + 1.2 * np.exp(
            -((d / (0.35 * radius)) ** 2)
        )
        layer.tint(0.8 + 0.2 * ramp(d, 0.1 * radius, 0.7 * radius))
    elif holes:
        layer.height += 1.5 * np.exp(-(((d - 0.78 * radius) / (0.14 * radius)) ** 2))
        for dx in (-1, 1):
            for dy in (-1, 1):
                hole = np.hypot(piece.x - at[0] - dx * 0.26 * radius, piece.y - at[1] - dy * 0.26 * radius)
                layer.tint(1 - 0.75 * np.exp(-((hole / (0.14 * radius)) ** 2)))
        for dx in (-1, 1):
            line = smooth(
                (at[0] + dx * 0.26 * radius, at[1] - 0.26 * radius), (at[0] + dx * 0.26 * radius, at[1] + 0.26 * radius)
            )
            layer.paint(piece.stroke(line, 0.18 * radius), thread, 0.8)
    return layer


def patch_label(garment, x0, y0, width, height, base, text, ink, behind=1, size=11):
    p = garment.piece
    w = width / 2
    layer = p.layer(
        np.array([(x0 - w, y0), (x0 + w, y0), (x0 + w, y0 + height), (x0 - w, y0 + height)]),
        base,
        thick=1.5,
        edge=1.5,
        inside=0.75,
        shadow=0.4,
        rough=0.2,
    )
    layer.dome = 0
    layer.tint(1 + 0.05 * p.noise(6, 2))
    fabrics.screen_print(
        layer,
        fabrics.graphic(
            p, lambda d, s: fabrics.spaced(d, (x0 * s, (y0 + height / 2) * s), text, size * s, ink, 1.2 * s)
        ),
        wear=0,
    )
    p.layers.remove(layer)
    p.layers.insert(behind, layer)
    return layer
