"""Weaves, knits and prints: colour and relief for every pixel of a layer."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cloth import blur, colour, ramp, to_linear

TAU = 2 * np.pi


def jersey(layer, u, v, amount=1.0, heather=0.0):
    """Fine single knit: faint wales along v."""
    p = layer.piece
    wales = np.cos(TAU * u / 3.2) * (0.6 + 0.4 * np.cos(TAU * v / 2.7))
    layer.height += amount * (0.06 * wales + 0.04 * p.grain(0.7))
    layer.tint(1 + amount * 0.022 * p.grain(0.6) + 0.008 * p.noise(30, 2))
    if heather:
        layer.tint(1 + heather * (0.6 * p.streaks(5, 0.5, 4) + 0.6 * p.streaks(5, 0.5, 86)))


def knit(layer, u, v, wide=9.0, tall=7.0, depth=1.0, dark=0.5):
    """Stockinette: columns of V-shaped stitches."""
    p = layer.piece
    u = u + 0.5 * p.noise(60, 1)
    v = v + 0.8 * p.noise(45, 1)
    across = np.abs((u / wide) % 1.0 - 0.5) * 2
    phase = v / tall - 0.85 * across
    lobe = 0.5 + 0.5 * np.cos(TAU * phase)
    round_ = np.sqrt(np.maximum(0, 1 - (np.abs(across - 0.5) * 2) ** 2.2))
    relief = np.sqrt(lobe) * round_
    layer.height += depth * relief
    layer.tint((1 - dark) + dark * np.clip(relief * 1.25, 0, 1.05))
    layer.tint(1 + 0.035 * p.grain(0.7) + 0.03 * p.noise(22, 2))


def denim(layer, u, v, fade=None, pale="#8fa6c4", amount=1.0):
    """Twill with a pale weft that shows where the cloth is worn."""
    p = layer.piece
    twill = np.cos(TAU * (u + 0.9 * v) / 3.6 + 0.7 * p.noise(9, 1))
    slub = p.streaks(14, 0.6, 90)
    speck = ramp(p.grain(0.55) + 0.5 * twill + 0.35 * slub, 0.0, 2.3)
    wear = 0.25 + 0.75 * (fade if fade is not None else 0.2 * np.ones_like(u))
    layer.albedo += (amount * np.clip(0.7 * speck * wear, 0, 0.8))[..., None] * (colour(pale) - layer.albedo)
    if fade is not None:
        layer.albedo += (np.clip(fade, 0, 1) * 0.55)[..., None] * (colour(pale) - layer.albedo)
    layer.tint(1 + 0.06 * slub + 0.05 * p.grain(0.7) + 0.05 * p.noise(50, 2))
    layer.height += 0.10 * twill + 0.08 * p.grain(0.8)


def twill(layer, u, v, amount=1.0):
    p = layer.piece
    lines = np.cos(TAU * (u - 0.8 * v) / 3.4)
    layer.height += amount * (0.08 * lines + 0.06 * p.grain(0.8))
    layer.tint(1 + amount * (0.025 * p.grain(0.6) + 0.02 * lines + 0.015 * p.streaks(12, 0.7, 90)))


def oxford(layer, u, v, white=0.35):
    """Basket weave of coloured warp and white weft."""
    p = layer.piece
    basket = np.cos(TAU * u / 4.0) * np.cos(TAU * v / 4.0)
    mix = np.clip(0.5 + 0.35 * basket + 0.22 * p.grain(0.6) + 0.12 * p.streaks(10, 0.6, 0), 0, 1)
    layer.albedo += (white * mix)[..., None] * (colour("#f4f6fa") - layer.albedo)
    layer.height += 0.05 * basket + 0.05 * p.grain(0.7)


def stripes(layer, v, base, period, width, start=0.0, end=1e9):
    """Stripes of one colour across v, with soft yarn edges."""
    p = layer.piece
    at = (v - start) % period
    edge = 0.9
    band = ramp(at, -edge, edge) * (1 - ramp(at, width - edge, width + edge)) + ramp(at, period - edge, period + edge)
    band = band * ((v > start - edge) & (v < end))
    layer.paint(np.clip(band + 0.012 * p.grain(0.6) * (band > 0.05), 0, 1), base)


def plaid(layer, u, v, dark, light, period=112):
    """A check of two colours woven in twill over the base colour."""
    p = layer.piece
    lines = ((u + v) % 4 < 2).astype(np.float32)
    lines = 0.5 + 0.38 * (cv2.GaussianBlur(lines, (0, 0), 0.6) - 0.5)

    def bar(at, centre, half):
        d = np.abs((at - centre + period / 2) % period - period / 2)
        return 1 - ramp(d, half - 1.2, half + 1.2)

    for at, weight in ((u, lines), (v, 1 - lines)):
        layer.paint(np.clip(bar(at, 0, 21) * weight * 1.15, 0, 1), dark, 0.85)
        layer.paint(np.clip(bar(at, period / 2, 4) * weight * 1.4, 0, 1), dark, 0.8)
        layer.paint(np.clip(bar(at, 33, 2.2) * weight * 1.6, 0, 1), light, 0.85)
        layer.paint(np.clip(bar(at, -33, 2.2) * weight * 1.6, 0, 1), light, 0.85)
    layer.height += 0.10 * p.grain(0.9)
    layer.tint(1 + 0.05 * p.grain(0.7) + 0.04 * p.streaks(6, 0.6, 45) + 0.03 * p.noise(14, 2))


def flower_tile(rng, size=520, count=150, petals=("#d9536a", "#f0a6a0", "#f4d9c4", "#e8b44c"), leaf="#5d7f56"):
    """A repeating tile of scattered flowers: straight colour and cover, in linear light."""
    scale = 3
    big = np.zeros((size * scale, size * scale, 4), np.float32)
    placed = []
    tries = 0
    while len(placed) < count and tries < 20000:
        tries += 1
        c = rng.uniform(0, size, 2)
        r = rng.choice([9, 12, 17, 22], p=[0.42, 0.3, 0.18, 0.10])
        gap = [np.hypot(*((c - q + size / 2) % size - size / 2)) - s - r for q, s in placed]
        if gap and min(gap) < 7:
            continue
        placed.append((c, r))
    for c, r in placed:
        tone = colour(petals[rng.integers(len(petals))])
        turn, n = rng.uniform(0, TAU), 5 if r > 10 else 4
        shapes = []
        for k in range(rng.integers(1, 4)):
            a = turn + TAU * (0.1 + k / 3) + rng.normal(0, 0.2)
            out = np.array([np.cos(a), np.sin(a)])
            shapes.append((c + out * r * 1.25, (r * 0.62, r * 0.24), a, colour(leaf) * rng.uniform(0.75, 1.2)))
        for k in range(n):
            a = turn + TAU * k / n
            out = np.array([np.cos(a), np.sin(a)])
            shapes.append((c + out * r * 0.5, (r * 0.52, r * 0.36), a, tone * rng.uniform(0.85, 1.1)))
            shapes.append((c + out * r * 0.32, (r * 0.26, r * 0.10), a, tone * 0.68))
        shapes.append((c, (r * 0.2, r * 0.2), 0, colour("#f3cf62")))
        shapes.append((c + [0.4, 0.6], (r * 0.09, r * 0.09), 0, colour("#9a6a2a")))
        for centre, axes, a, tint in shapes:
            for dx in (-size, 0, size):
                for dy in (-size, 0, size):
                    at = (centre + [dx, dy]) * scale
                    if (at < -40 * scale).any() or (at > (size + 40) * scale).any():
                        continue
                    cv2.ellipse(
                        big,
                        (tuple(map(float, at)), (2 * axes[0] * scale, 2 * axes[1] * scale), float(np.degrees(a))),
                        (*map(float, tint), 1.0),
                        -1,
                    )
    tile = cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA)
    tile[..., :3] /= np.maximum(tile[..., 3:], 1e-3)
    return tile


def printed(layer, tile, u, v, opacity=0.95):
    size = tile.shape[0]
    got = cv2.remap(
        tile, (u % size).astype(np.float32), (v % size).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    layer.paint(got[..., 3], got[..., :3], opacity)


def font(size):
    return ImageFont.load_default(size=size)


def spaced(draw, at, text, size, fill, spacing=0.0, anchor="mm", weight=0):
    """Text centred at a point, with letter spacing in px and faked weight."""
    face = font(size)
    widths = [face.getlength(ch) + spacing for ch in text]
    x = at[0] - (sum(widths) - spacing) / 2
    for ch, width in zip(text, widths):
        draw.text((x, at[1]), ch, font=face, fill=fill, anchor="l" + anchor[1], stroke_width=weight, stroke_fill=fill)
        x += width


def graphic(piece, painter, scale=2):
    """A print drawn by `painter(draw, scale)` on an RGBA sheet the size of the piece."""
    sheet = Image.new("RGBA", (piece.w * scale, piece.h * scale), (0, 0, 0, 0))
    painter(ImageDraw.Draw(sheet), scale)
    big = np.asarray(sheet, np.float32) / 255
    small = cv2.resize(
        np.dstack([big[..., :3] * big[..., 3:], big[..., 3]]), (piece.w, piece.h), interpolation=cv2.INTER_AREA
    )
    small[..., :3] /= np.maximum(small[..., 3:], 1e-3)
    return small


def screen_print(layer, sheet, wear=0.12, opacity=0.93):
    """Lays an sRGB sheet on the cloth; it bends with the folds and is a little worn."""
    p = layer.piece
    calm = blur(layer.height, 2.5)
    gx, gy = np.gradient(calm, axis=1), np.gradient(calm, axis=0)
    bent = cv2.remap(sheet, p.x + 4 * gx, p.y + 4 * gy, cv2.INTER_LINEAR)
    cracks = 1 - wear * ramp(p.grain(0.8) + 0.6 * p.noise(12, 2), 0.9, 2.2)
    layer.height += 0.25 * cv2.GaussianBlur(bent[..., 3], (0, 0), 0.8)
    layer.paint(bent[..., 3] * cracks, to_linear(bent[..., :3]), opacity)


def bent(layer, u, v, strength=6.0):
    """Coordinates of the cloth as its folds displace them."""
    calm = blur(layer.height, 2.0)
    return u + strength * np.gradient(calm, axis=1).astype(np.float32), v + strength * np.gradient(calm, axis=0).astype(
        np.float32
    )
