"""Cloth as layers of height and colour, lit by one lamp.

A `Piece` is one picture. It holds `Layer`s from back to front; a layer has an outline, a colour for every pixel
(linear light) and a height in pixels. Folds, seams and weaves are heights, so that one light falls on all of them.
"""

import cv2
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

LAMP = np.array([-0.36, -0.56, 0.75], np.float32)
LAMP /= np.linalg.norm(LAMP)


def colour(text):
    """Linear RGB of `#rrggbb`."""
    srgb = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return to_linear(srgb)


def to_linear(srgb):
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear):
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def smooth(*points):
    """Samples, about 2 px apart, of the smooth curve through the points."""
    points = np.asarray(points, np.float64)
    if len(points) == 2:
        return resample(points, 2)
    steps = np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1))
    at = np.concatenate([[0], np.cumsum(steps)])
    spline = CubicSpline(at, points, bc_type="natural")
    return resample(spline(np.linspace(0, at[-1], 40 * len(points))), 2)


def resample(points, step):
    points = np.asarray(points, np.float64)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0], np.cumsum(lengths)])
    count = max(2, int(round(at[-1] / step)) + 1)
    where = np.linspace(0, at[-1], count)
    return np.stack([np.interp(where, at, points[:, k]) for k in (0, 1)], 1)


def join(*curves):
    return np.concatenate([np.asarray(c, np.float64).reshape(-1, 2) for c in curves])


def beside(curve, distance):
    """The curve moved sideways: to the right of its direction of travel on the picture where positive."""
    tangent = np.gradient(np.asarray(curve, np.float64), axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    return curve + distance * np.stack([-tangent[:, 1], tangent[:, 0]], 1)


def part(curve, start, end):
    count = len(curve)
    return curve[int(start * (count - 1)) : int(end * (count - 1)) + 1]


def flip(curve, axis):
    """The mirror image, in opposite order, so that a right half goes on from a left one."""
    return np.stack([2 * axis - curve[::-1, 0], curve[::-1, 1]], 1)


def mirror(points, axis):
    """The mirror image, in the same order."""
    points = np.asarray(points, np.float64)
    return np.stack([2 * axis - points[:, 0], points[:, 1]], 1)


def blur(picture, sigma):
    if sigma < 6:
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    shrink = 2 if sigma < 14 else 4
    h, w = picture.shape[:2]
    small = cv2.resize(picture, (max(1, w // shrink), max(1, h // shrink)), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / shrink), (w, h), interpolation=cv2.INTER_CUBIC)


def ramp(value, low, high):
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class Layer:
    """One piece of cloth: outline, colour, height."""

    def __init__(self, piece, outline, base, *, thick=5.0, edge=3.0, inside=1.0, shadow=0.5, sheen=0.0, rough=0.7):
        self.piece = piece
        self.outline = piece.roughen(outline, rough)
        self.mask = piece.fill(self.outline)
        self.albedo = np.empty((piece.h, piece.w, 3), np.float32)
        self.albedo[:] = base if isinstance(base, np.ndarray) else colour(base)
        self.height = np.zeros((piece.h, piece.w), np.float32)
        self.thick, self.edge, self.inside, self.shadow, self.sheen = thick, edge, inside, shadow, sheen
        self.dome = 1.0
        self.opacity = 1.0

    def fold(self, points, width, height, taper="both", skew=0.25):
        self.piece.ridge(self.height, smooth(*points), width, height, taper, skew)
        return self

    def paint(self, mask, base, opacity=1.0):
        base = colour(base) if isinstance(base, str) else base
        self.albedo += (mask * opacity)[..., None] * (base - self.albedo)

    def tint(self, factor):
        self.albedo *= factor[..., None] if factor.ndim == 2 else factor

    def groove(self, curve, depth=1.6, width=2.2, dark=0.12, pucker=0.8):
        """A seam: a furrow that draws the cloth together beside it."""
        p = self.piece
        line = blur(p.stroke(curve, width), 0.9)
        self.height -= depth * line
        near = blur(p.stroke(curve, 9), 4.0)
        self.height += 0.55 * pucker * near * p.noise(9, octaves=1)
        self.tint(1 - dark * line - 0.35 * dark * near)

    def stitch(self, curve, base, length=4.4, gap=2.4, width=1.4, raised=0.8, opacity=0.78):
        """A row of thread along the curve."""
        p = self.piece
        dense = resample(curve, 0.5)
        count, step, dashes = int(length / 0.5), int((length + gap) / 0.5), []
        for start in range(0, len(dense) - count, step):
            dashes.append(dense[[start, start + count]])
        line = p.strokes(dashes, width)
        trench = blur(p.stroke(curve, 2.5), 1.2)
        self.height += raised * line - 0.9 * trench
        self.tint(1 - 0.10 * trench)
        self.paint(np.clip(line, 0, 1), base, opacity)

    def hem_stitch(self, curve, distance, base, double=True, **options):
        self.stitch(beside(curve, distance), base, **options)
        if double:
            self.stitch(beside(curve, distance + np.sign(distance) * 5), base, **options)

    def ribs(self, curve, half_width, period=6.0, depth=0.9, dark=0.25):
        """Ribbing across the curve, over a band around it."""
        u, v, near = self.piece.along(curve, half_width)
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * u / period + 0.4 * np.sin(v * 0.4))
        self.height += near * depth * wave
        self.tint(1 - near * dark * (1 - wave) ** 2)


class Piece:
    """One picture of a garment."""

    def __init__(self, width, height, seed, sway=3.0):
        self.w, self.h = width, height
        self.rng = np.random.default_rng(seed)
        self.layers = []
        self.x, self.y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self.sway = [sway * self.noise(260, octaves=1) for _ in (0, 1)]
        self.dome_width, self.dome_height, self.edge_dark = 64.0, 13.0, 0.24
        self.contrast = 1.2

    # Randomness

    def noise(self, scale, octaves=3, seed=None):
        """Smooth noise of unit variance with features of about `scale` px."""
        rng = self.rng if seed is None else np.random.default_rng(seed)
        total, weight, norm = np.zeros((self.h, self.w), np.float32), 1.0, 0.0
        for _ in range(octaves):
            cell = max(1.0, scale / 3)
            shape = (int(self.h / cell) + 8, int(self.w / cell) + 8)
            grid = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 1.3) * 4.6
            at = np.float32([[1 / cell, 0, 3.5], [0, 1 / cell, 3.5]])
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            total += weight * cv2.warpAffine(grid, at, (self.w, self.h), flags=flags, borderMode=cv2.BORDER_REFLECT)
            norm += weight**2
            weight, scale = weight * 0.5, scale / 2
        return total / np.float32(np.sqrt(norm))

    def grain(self, sigma=0.6):
        raw = self.rng.standard_normal((self.h, self.w)).astype(np.float32)
        soft = cv2.GaussianBlur(raw, (0, 0), sigma) if sigma > 0 else raw
        return soft / soft.std()

    def streaks(self, length, thickness, angle=0.0):
        """Noise drawn out along a direction (degrees from the x axis)."""
        raw = self.rng.standard_normal((self.h, self.w)).astype(np.float32)
        size = int(length) * 2 + 1
        kernel = np.zeros((size, size), np.float32)
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        cv2.line(
            kernel,
            (int(length - length * c), int(length - length * s)),
            (int(length + length * c), int(length + length * s)),
            1.0,
            1,
            cv2.LINE_AA,
        )
        soft = cv2.GaussianBlur(cv2.filter2D(raw, -1, kernel), (0, 0), thickness)
        return soft / soft.std()

    def creases(self, scale, bend=0.6):
        """Crumpled cloth: rounded ridges between soft hollows, in about 0..1."""
        warp = [bend * scale * self.noise(scale * 1.3, octaves=1) for _ in (0, 1)]
        field = self.noise(scale, octaves=2)
        bent = cv2.remap(field, self.x + warp[0], self.y + warp[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return blur(1 - np.sqrt(bent**2 + 0.02), scale * 0.05 + 1)

    # Geometry

    def sway_points(self, points):
        """Small, smooth departures from the drawn pattern: no garment lies quite symmetric."""
        points = np.atleast_2d(np.asarray(points, np.float64))
        xs = np.clip(points[:, 0].astype(int), 0, self.w - 1)
        ys = np.clip(points[:, 1].astype(int), 0, self.h - 1)
        return points + np.stack([self.sway[0][ys, xs], self.sway[1][ys, xs]], 1)

    def roughen(self, outline, amount):
        dense = resample(np.concatenate([outline, outline[:1]]), 2)[:-1]
        if amount <= 0:
            return dense
        wobble = np.zeros(len(dense))
        for sigma, weight in ((4, 0.35), (14, 0.8)):
            raw = self.rng.standard_normal(len(dense))
            size = np.arange(-3 * sigma, 3 * sigma + 1)
            kernel = np.exp(-0.5 * (size / sigma) ** 2)
            if len(dense) <= len(kernel):
                continue
            soft = np.convolve(np.concatenate([raw, raw, raw]), kernel, "same")[len(raw) : 2 * len(raw)]
            wobble += weight * soft / (soft.std() + 1e-9)
        return beside(dense, (amount * wobble)[:, None])

    def fill(self, outline, scale=4):
        mask = np.zeros((self.h, self.w), np.float32)
        box = self.box(outline, 2)
        if box is None:
            return mask
        y0, y1, x0, x1 = box
        big = np.zeros(((y1 - y0) * scale, (x1 - x0) * scale), np.uint8)
        points = np.round((outline - [x0, y0] + 0.5) * scale * 16).astype(np.int32) - 8
        cv2.fillPoly(big, [points], 255, cv2.LINE_8, 4)
        mask[y0:y1, x0:x1] = cv2.resize(big, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) / np.float32(255)
        return mask

    def box(self, points, margin):
        x0, y0 = np.floor(points.min(0) - margin).astype(int)
        x1, y1 = np.ceil(points.max(0) + margin).astype(int) + 1
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, self.w), min(y1, self.h)
        return None if x0 >= x1 or y0 >= y1 else (y0, y1, x0, x1)

    def stroke(self, curve, width):
        return self.strokes([curve], width)

    def strokes(self, curves, width, scale=4):
        mask = np.zeros((self.h, self.w), np.float32)
        if not curves:
            return mask
        y0, y1, x0, x1 = self.box(np.concatenate(curves), width + 2)
        big = np.zeros(((y1 - y0) * scale, (x1 - x0) * scale), np.uint8)
        lines = [np.round((c - [x0, y0] + 0.5) * scale * 16).astype(np.int32) for c in curves]
        cv2.polylines(big, lines, False, 255, max(1, int(round(width * scale))), cv2.LINE_8, 4)
        mask[y0:y1, x0:x1] = cv2.resize(big, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) / np.float32(255)
        return mask

    def along(self, curve, reach):
        """Distance along the curve, distance to its right, and a mask of the pixels within `reach`."""
        dense = resample(curve, 0.7)
        tangent = np.gradient(dense, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        u, v, near = (np.zeros((self.h, self.w), np.float32) for _ in range(3))
        box = self.box(dense, reach + 2)
        y0, y1, x0, x1 = box
        grid = np.stack([self.x[y0:y1, x0:x1].ravel(), self.y[y0:y1, x0:x1].ravel()], 1)
        distance, index = cKDTree(dense).query(grid)
        off = grid - dense[index]
        side = tangent[index, 0] * off[:, 1] - tangent[index, 1] * off[:, 0]
        ahead = (tangent[index] * off).sum(1)
        shape = (y1 - y0, x1 - x0)
        u[y0:y1, x0:x1] = (index * 0.7 + ahead).reshape(shape)
        v[y0:y1, x0:x1] = (np.sign(side) * distance).reshape(shape)
        near[y0:y1, x0:x1] = np.clip(reach + 0.5 - distance, 0, 1).reshape(shape)
        return u, v, near

    def ridge(self, height, curve, width, tall, taper="both", skew=0.25):
        """Adds a fold along the curve to a height field; one side falls off faster than the other."""
        dense = resample(curve, 3)
        box = self.box(dense, width * 3.2)
        if box is None:
            return
        y0, y1, x0, x1 = box
        rows, cols = max(2, (y1 - y0) // 2), max(2, (x1 - x0) // 2)
        gy, gx = np.meshgrid(np.linspace(y0, y1 - 1, rows), np.linspace(x0, x1 - 1, cols), indexing="ij")
        grid = np.stack([gx.ravel(), gy.ravel()], 1)
        tangent = np.gradient(dense, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        distance, index = cKDTree(dense).query(grid, distance_upper_bound=width * 3.4)
        inside = np.isfinite(distance)
        index = np.where(inside, index, 0)
        off = grid - dense[index]
        side = tangent[index, 0] * off[:, 1] - tangent[index, 1] * off[:, 0]
        ahead = (tangent[index] * off).sum(1)
        t = np.clip((index + ahead / 3) / (len(dense) - 1), 0, 1)
        # Within the curve's ends the distance is the one across it, so that its samples leave no comb.
        across = (index > 0) & (index < len(dense) - 1)
        distance = np.where(inside & across, np.abs(side), distance)
        if taper == "both":
            envelope = np.sin(np.pi * np.clip(t, 0, 1)) ** 0.9
        elif taper == "start":
            envelope = np.clip(t / 0.12, 0, 1) ** 0.8 * (1 - t) ** 1.1
        elif taper == "open":
            envelope = ramp(t, 0, 0.6)
        else:
            envelope = np.ones_like(t)
        spread = width * (0.65 + 0.35 * envelope if taper != "start" else 0.55 + 0.75 * t)
        reach = spread * (1 + skew * np.tanh(side / spread * 2))
        value = tall * envelope * np.exp(-((np.where(inside, distance, 1e6) / reach) ** 2))
        block = cv2.resize(
            value.reshape(rows, cols).astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC
        )
        height[y0:y1, x0:x1] += block

    # Layers and light

    def layer(self, outline, base, **options):
        made = Layer(self, outline, base, **options)
        self.layers.append(made)
        return made

    def render(self):
        """Straight-alpha RGBA, 8 bits."""
        union = np.zeros((self.h, self.w), np.float32)
        for layer in self.layers:
            union = np.maximum(union, layer.mask)
        far = cv2.distanceTransform((union > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        far = blur(far, 3.0)
        t = np.clip(1 - far / self.dome_width, 0, 1)
        dome = self.dome_height * np.sqrt(np.maximum(1e-3, 1 - t * t))
        rim = 1 - self.edge_dark * np.exp(-far / 9) - 0.4 * self.edge_dark * np.exp(-far / 38)
        picture = np.zeros((self.h, self.w, 3), np.float32)
        cover = np.zeros((self.h, self.w), np.float32)
        for layer in self.layers:
            self.lay(picture, cover, layer, dome, rim)
        straight = picture / np.maximum(cover, 1e-3)[..., None]
        rgb = to_srgb(straight)
        rgba = np.dstack([rgb * 255, cover * 255])
        return np.clip(np.round(rgba), 0, 255).astype(np.uint8)

    def lay(self, picture, cover, layer, dome, rim):
        ys, xs = np.nonzero(layer.mask > 0)
        if not len(ys):
            return
        pad = int(layer.thick * 3 + 40)
        y0, y1 = max(0, ys.min() - pad), min(self.h, ys.max() + pad + 1)
        x0, x1 = max(0, xs.min() - pad), min(self.w, xs.max() + pad + 1)
        cut = np.s_[y0:y1, x0:x1]
        mask = layer.mask[cut]
        if layer.shadow > 0:
            move = np.float32([[1, 0, layer.thick * 0.45], [0, 1, layer.thick * 0.8]])
            cast = cv2.warpAffine(mask, move, (mask.shape[1], mask.shape[0]))
            cast = 0.6 * blur(cast, max(1.0, layer.thick * 0.7)) + 0.4 * blur(mask, max(1.0, layer.thick * 0.5))
            picture[cut] *= (1 - layer.shadow * np.clip(cast, 0, 1))[..., None]
        own = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        t = np.clip(1 - blur(own, 0.8) / max(layer.edge, 0.5), 0, 1)
        height = layer.height[cut] + layer.dome * dome[cut] + layer.edge * 0.5 * np.sqrt(1 - t * t + 1e-3)
        light, slope = lit(height, self.contrast)
        light *= rim[cut] * layer.inside
        shaded = layer.albedo[cut] * light[..., None]
        if layer.sheen:
            shaded += (layer.sheen * np.clip(slope, 0, 1.2) * rim[cut] * layer.inside)[..., None]
        mask = mask * (layer.opacity[cut] if isinstance(layer.opacity, np.ndarray) else layer.opacity)
        picture[cut] += mask[..., None] * (shaded - picture[cut])
        # The picture is premultiplied: uncovered pixels hold zero.
        cover[cut] = cover[cut] + mask * (1 - cover[cut])


class Pattern:
    """A garment drawn around the middle of its piece: x counts from there, y from the top."""

    piece: Piece

    @property
    def cx(self):
        return self.piece.w / 2

    def at(self, side, x, y):
        """A point of one side (-1 left, 1 right) on the picture."""
        return self.piece.sway_points([(self.cx + side * x, y)])[0]

    def way(self, side, *points):
        return smooth(*[self.at(side, x, y) for x, y in points])

    def across(self, *points):
        """A curve from left to right given by its right half, from the middle outwards."""
        left = [self.at(-1, x, y) for x, y in points[:0:-1]]
        return smooth(*left, *[self.at(1, x, y) for x, y in points])

    def pair(self, xy):
        """A point of the pattern on the left and on the right of the picture."""
        return [self.at(-1, *xy).round(1).tolist(), self.at(1, *xy).round(1).tolist()]


def lit(height, contrast):
    """Light on a height field, 1 where it lies flat; and how much it shines."""
    soft = cv2.GaussianBlur(height, (0, 0), 0.7)
    gx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3) / 8
    gy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3) / 8
    length = np.sqrt(1 + gx * gx + gy * gy)
    lambert = (LAMP[2] - gx * LAMP[0] - gy * LAMP[1]) / length / LAMP[2]
    fill = (0.8 + 0.25 * gx) / length / 0.8
    light = 0.20 + 0.55 * np.maximum(lambert, 0) + 0.25 * fill
    light = 1 + contrast * (light - 1)
    for sigma, weight in ((5, 0.045), (18, 0.022)):
        light *= np.exp(-weight * contrast * np.maximum(blur(height, sigma) - height, 0))
    light = np.maximum(light, 0.12)
    shine = np.clip(lambert - 0.75, 0, 2) ** 2
    return np.where(light > 1, 1 + (light - 1) * 0.75, light), shine


def put_on_ground(rgba, tone, drop=(7, 12), spread=13, strength=0.32):
    """The picture on a plain ground with a soft shadow, as RGB."""
    h, w = rgba.shape[:2]
    alpha = rgba[..., 3].astype(np.float32) / 255
    ground = np.empty((h, w, 3), np.float32)
    ground[:] = colour(tone)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    ground *= (1.0 - 0.06 * (((xx / w - 0.4) ** 2 + (yy / h - 0.35) ** 2)))[..., None]
    move = np.float32([[1, 0, drop[0]], [0, 1, drop[1]]])
    far = blur(cv2.warpAffine(alpha, move, (w, h)), spread)
    close = blur(alpha, 3.0)
    ground *= (1 - strength * np.clip(far, 0, 1))[..., None] * (1 - 0.25 * np.clip(close, 0, 1))[..., None]
    rgb = to_linear(rgba[..., :3].astype(np.float32) / 255)
    mixed = ground + alpha[..., None] * (rgb - ground)
    return np.clip(np.round(to_srgb(mixed) * 255), 0, 255).astype(np.uint8)
