"""Trousers and skirts."""

from dataclasses import dataclass

import numpy as np

import fabrics
from cloth import Pattern, Piece, beside, blur, colour, join, part, ramp, smooth
from fittings import button, patch_label


@dataclass
class Legs:
    """The pattern of trousers: x from the middle, y from the top of the picture."""

    width: int = 720
    height: int = 1280
    seed: int = 1
    waist: tuple = (186, 52)
    hip: tuple = (222, 262)
    crotch: float = 416
    knee: tuple = (228, 78, 800)
    cuff: tuple = (230, 104, 1226)
    band: float = 40


class Trousers(Pattern):
    def __init__(self, cut, base, **options):
        self.cut, self.base = cut, base
        p = self.piece = Piece(cut.width, cut.height, cut.seed, sway=2.5)
        p.dome_width, p.dome_height = 46.0, 12.0
        c = cut
        wx, wy = c.waist
        back = self.across((0, wy - 2), (wx * 0.6, wy - 4), (wx - 3, wy + 2))
        low = self.across((0, wy + 46), (wx * 0.6, wy + 40), (wx - 4, wy + 30))
        self.inner = p.layer(join(back, low[::-1]), base, thick=1, edge=3, inside=0.55, shadow=0)
        self.inner.dome = 0.2
        self.back = back
        self.legs = [self.make_leg(side, **options) for side in (-1, 1)]

    def make_leg(self, side, **options):
        p, c = self.piece, self.cut
        wx, wy = c.waist
        outer = self.way(
            side,
            (wx, wy + 2),
            (wx + 8, wy + 50),
            (c.hip[0] - 6, c.hip[1] - 70),
            c.hip,
            (c.hip[0] + 4, c.crotch + 60),
            (c.knee[0], c.knee[2]),
            (c.cuff[0], c.cuff[2]),
        )
        inner = self.way(
            side,
            (2, c.crotch),
            (15, c.crotch + 36),
            (36, c.crotch + 160),
            (c.knee[1], c.knee[2]),
            (c.cuff[1], c.cuff[2] + 2),
        )
        hem = self.way(
            side, (c.cuff[0], c.cuff[2]), (0.5 * (c.cuff[0] + c.cuff[1]), c.cuff[2] + 7), (c.cuff[1], c.cuff[2] + 2)
        )
        top = self.way(side, (-4, wy + 16), (wx * 0.5, wy + 13), (wx, wy + 2))
        front = self.way(side, (-4, c.crotch - 4), (-4, wy + 16))
        leg = p.layer(join(top, outer, hem, inner[::-1], front), self.base, thick=2, edge=0.8, shadow=0.15, **options)
        leg.side, leg.outer, leg.inner_seam, leg.hem = side, outer, inner, hem
        return leg

    def drape(self, strength=1.0):
        p, c = self.piece, self.cut
        rng = p.rng
        relief = strength * (3.0 * p.noise(130, 2) + 2.5 * p.creases(150))
        for leg in self.legs:
            s = leg.side
            leg.height += relief
            fold = lambda points, *rest: leg.fold([self.at(s, *q) for q in points], *rest)
            for k in range(6):
                y = c.crotch + rng.uniform(-36, 26)
                reach, fall = rng.uniform(70, 160), rng.uniform(-75, 90)
                fold(
                    [(2, y), (reach * 0.5, y + fall * 0.3 + 6), (reach, y + fall)],
                    rng.uniform(8, 13),
                    strength * rng.uniform(2, 4.4),
                    "start",
                    s * 0.3,
                )
            for k in range(9):
                y = c.knee[2] + rng.normal(-40, 62)
                a, b = (c.knee[0] + 2, c.knee[1] - 4)
                start, end = ((a, y), (a + (b - a) * rng.uniform(0.5, 0.95), y + rng.uniform(10, 62)))
                if rng.random() < 0.5:
                    start, end = (b, y), (b + (a - b) * rng.uniform(0.5, 0.95), y + rng.uniform(10, 62))
                mid = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]) + rng.uniform(0, 12))
                fold(
                    [start, mid, end],
                    rng.uniform(8, 14),
                    strength * rng.uniform(1.6, 3.6),
                    "start",
                    rng.uniform(-0.3, 0.3),
                )
            for k in range(7):
                y = c.cuff[2] - rng.uniform(24, 200)
                a, b = (c.cuff[0] + 2, c.cuff[1] - 2)
                start, end = ((a, y), (a + (b - a) * rng.uniform(0.6, 1.0), y + rng.uniform(-26, 34)))
                if rng.random() < 0.5:
                    start, end = (b, y), (b + (a - b) * rng.uniform(0.6, 1.0), y + rng.uniform(-26, 34))
                fold(
                    [start, (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]) + 7), end],
                    rng.uniform(7, 12),
                    strength * rng.uniform(1.6, 3.6),
                    "start",
                    rng.uniform(-0.3, 0.3),
                )
            for k in range(2):
                x = rng.uniform(90, 150)
                fold(
                    [(x, 520 + 60 * k), (x + 6, 680), (x + 4, 980 + 60 * k)],
                    rng.uniform(22, 34),
                    strength * rng.uniform(2, 4),
                    "both",
                    rng.uniform(-0.4, 0.4),
                )
        self.relief = relief

    def waistband(self, weave, thread, loops=True, base=None, metal="#b28a56", stitched=True):
        p, c = self.piece, self.cut
        wx, wy = c.waist
        top = self.across((0, wy + 16), (wx * 0.5, wy + 13), (wx + 1, wy + 1))
        low = self.across((0, wy + 16 + c.band), (wx * 0.5, wy + 13 + c.band), (wx + 8, wy + c.band - 1))
        band = p.layer(join(top, low[::-1]), base or self.base, thick=3, edge=3.5, shadow=0.3)
        weave(band, p.x, p.y)
        band.height += 1.2 * p.noise(60, 1)
        if stitched:
            band.stitch(beside(top, 5), thread)
            band.stitch(beside(low, -5), thread)
        for leg in self.legs:
            leg.groove(low, 1.6, 4, 0.2, 1.4)
        end = self.way(1, (16, wy + 15), (17, wy + 17 + c.band))
        band.groove(end, 2.0, 2.0, 0.3, 0.2)
        if loops:
            for side, x in ((-1, 96), (1, 96), (-1, 170), (1, 170)):
                x0, y0 = self.at(side, x, wy + 6 + (170 - x) * 0.12)
                loop = p.layer(
                    np.array([(x0 - 7, y0), (x0 + 7, y0), (x0 + 7, y0 + c.band + 14), (x0 - 7, y0 + c.band + 14)]),
                    base or self.base,
                    thick=4,
                    edge=3,
                    shadow=0.45,
                    rough=0.4,
                )
                weave(loop, p.x + 31, p.y)
                loop.dome = 0.5
                if stitched:
                    for d in (-4, 4):
                        loop.stitch(smooth((x0 + d, y0 + 1), (x0 + d, y0 + c.band + 13)), thread, 4, 2.5, 1.3)
        x0, y0 = self.at(1, 1, wy + 17 + c.band / 2)
        button(p, (x0, y0), 11, metal, metal=True)
        return band

    def pockets(self, thread, weave, coin=True, stitched=True):
        p, c = self.piece, self.cut
        wx, wy = c.waist
        for leg in self.legs:
            s = leg.side
            mouth = self.way(
                s,
                (wx * 0.5, wy + 13 + c.band),
                (wx * 0.58, wy + c.band + 46),
                (wx * 0.82, wy + c.band + 76),
                (wx + 24, wy + c.band + 84),
            )
            inside = p.fill(
                join(
                    mouth,
                    self.way(s, (wx + 60, wy + c.band + 84), (wx + 60, wy + c.band - 10), (wx * 0.5, wy + c.band - 6)),
                )
            )
            leg.height -= 3.2 * blur(inside, 1.2)
            edge = blur(p.stroke(beside(mouth, s * -2.5), 5), 2.0) * inside
            leg.tint(1 - 0.45 * edge - 0.08 * inside)
            if stitched:
                leg.stitch(beside(mouth, s * 5), thread)
                leg.stitch(beside(mouth, s * 11), thread)
                if coin and s > 0:
                    row = self.way(s, (wx * 0.72, wy + c.band + 40), (wx * 1.05, wy + c.band + 34))
                    leg.stitch(row, thread)
                    leg.stitch(beside(row, 5), thread)
                for x, y in ((wx * 0.53, wy + c.band + 22), (wx + 14, wy + c.band + 80)):
                    button(p, self.at(s, x, y), 4.2, "#b07a48", metal=True)

    def fly(self, thread, stitched=True):
        c = self.cut
        wy = c.waist[1]
        left, right = self.legs
        seam = smooth(self.at(1, 0, wy + 14 + c.band), self.at(1, 1, c.crotch - 60), self.at(1, 0, c.crotch + 2))
        left.groove(seam, 2.2, 3, 0.3, 1.0)
        right.groove(seam, 2.2, 3, 0.3, 1.0)
        if not stitched:
            right.groove(self.j_curve(), 0.8, 2, 0.12, 0.6)
            return
        for d in (0, 6):
            right.stitch(self.j_curve(d), thread)
        for d in (4, 9):
            right.stitch(beside(part(seam, 0.62, 1.0), -d), thread)

    def j_curve(self, d=0.0):
        wy, c = self.cut.waist[1], self.cut
        x = 38 - d
        return smooth(
            self.at(1, x, wy + 16 + c.band),
            self.at(1, x, c.crotch - 150),
            self.at(1, x * 0.78, c.crotch - 108),
            self.at(1, 3, c.crotch - 84 - d),
        )

    def points(self):
        c = self.cut
        cuffs = [
            [self.at(s, c.cuff[0], c.cuff[2]).round(1).tolist(), self.at(s, c.cuff[1], c.cuff[2]).round(1).tolist()]
            for s in (-1, 1)
        ]
        return {"waist": self.pair(c.waist), "crotch": self.at(1, 0, c.crotch).round(1).tolist(), "cuffs": cuffs}


def jeans(cut, base="#2c4468", thread="#c98b45", label="VITRINE"):
    t = Trousers(cut, base)
    p, c = t.piece, cut
    t.drape(1.15)
    thigh = np.zeros_like(p.x)
    for side in (-1, 1):
        cx = t.cx + side * 140
        thigh += 0.8 * np.exp(-(((p.x - cx) / 56) ** 2)) * np.exp(-(((p.y - 590) / 190) ** 2))
        thigh += 0.45 * np.exp(-(((p.x - cx - side * 10) / 54) ** 2)) * np.exp(-(((p.y - 880) / 130) ** 2))
    whisker = np.zeros_like(p.x)
    for leg in t.legs:
        for k in range(4):
            y = c.crotch - 30 + 20 * k
            p.ridge(
                whisker,
                smooth(
                    t.at(leg.side, 20, y), t.at(leg.side, 95, y - 16 + 10 * k), t.at(leg.side, 180, y - 58 + 22 * k)
                ),
                9,
                0.28,
                "both",
                0,
            )
    for leg in t.legs:
        calm = blur(leg.height, 2) - blur(leg.height, 14)
        fade = np.clip(0.06 + 0.6 * thigh * (1 + 0.2 * p.noise(40, 2)) + whisker + 0.10 * calm, 0, 0.85)
        edge = blur(p.stroke(beside(leg.outer, leg.side * 6), 5), 2.5) + blur(
            p.stroke(beside(leg.hem, leg.side * -3), 4), 2
        )
        fabrics.denim(leg, p.x - leg.side * p.y * 0.01, p.y, np.clip(fade + 0.22 * edge * (1 + p.noise(8, 1)), 0, 0.9))
        leg.groove(beside(leg.outer, leg.side * 5), 1.0, 2.5, 0.15, 1.4)
        leg.groove(beside(leg.inner_seam, leg.side * -4), 1.0, 2.5, 0.15, 1.4)
        leg.stitch(beside(leg.inner_seam, leg.side * -9), thread)
        row = beside(leg.hem, leg.side * 19)
        leg.stitch(row, thread)
        leg.groove(beside(row, leg.side * 3), 1.2, 3, 0.15, 2.4)
    fabrics.denim(t.inner, p.x, p.y, 0.5 + 0 * p.x)
    weave = lambda layer, u, v: fabrics.denim(layer, u, v, np.clip(0.12 + 0.05 * p.noise(20, 2), 0, 1))
    t.pockets(thread, weave)
    t.fly(thread)
    t.waistband(weave, thread)
    x0, y0 = t.at(1, 0, c.waist[1] + 3)
    patch_label(t, x0, y0 - 2, 62, 22, "#9a6a3e", label, (50, 30, 16, 255))
    return t


def chino(cut, base="#b39a74", label="VITRINE"):
    """Cotton trousers with slanted pockets and a pressed crease."""
    t = Trousers(cut, base)
    p, c = t.piece, cut
    wx, wy = c.waist
    thread = np.clip(colour(base) * 1.1, 0, 1)
    t.drape(1.25)
    for leg in t.legs:
        fabrics.twill(leg, p.x, p.y, 1.3)
        s = leg.side
        leg.groove(beside(leg.outer, s * 5), 0.9, 2.5, 0.12, 1.2)
        leg.groove(beside(leg.inner_seam, s * -5), 0.9, 2.5, 0.12, 1.2)
        crease = t.way(
            s,
            (118, 330),
            (138, 620),
            (0.5 * (c.knee[0] + c.knee[1]), c.knee[2]),
            (0.5 * (c.cuff[0] + c.cuff[1]), c.cuff[2]),
        )
        u, v, _ = p.along(crease, 60)
        leg.height += 2.4 * np.exp(-np.abs(v) / 15) * (u > 0) * ramp(u, 0, 160) * (p.fill(leg.outline) > 0)
        row = beside(leg.hem, s * 26)
        leg.groove(row, 0.8, 2.4, 0.1, 1.6)
        leg.stitch(row, thread, opacity=0.5)
        mouth = t.way(s, (wx * 0.66, wy + 10 + c.band), (wx + 0, wy + c.band + 90), (wx + 22, wy + c.band + 150))
        leg.groove(mouth, 2.6, 3.5, 0.35, 0.8)
        leg.height += 2.2 * blur(p.stroke(beside(mouth, s * 7), 8), 3)
        leg.stitch(beside(mouth, s * 8), thread, opacity=0.6)
    fabrics.twill(t.inner, p.x, p.y)
    t.fly(thread, stitched=False)
    t.waistband(fabrics.twill, thread, metal="#6b5334", stitched=False)
    x0, y0 = t.at(1, 0, wy + 1)
    patch_label(t, x0, y0, 56, 18, "#f0ece2", label, (60, 60, 60, 255))
    return t


@dataclass
class Tube:
    """The pattern of a skirt."""

    width: int = 760
    height: int = 760
    seed: int = 1
    waist: tuple = (176, 52)
    hip: tuple = (236, 280)
    hem: tuple = (284, 690)
    hem_bow: float = 14
    band: float = 40
    crotch: float = 330


class DenimSkirt(Trousers):
    """A skirt in two halves that button in front."""

    def make_leg(self, side, **options):
        p, c = self.piece, self.cut
        wx, wy = c.waist
        outer = self.way(
            side, (wx, wy + 2), (wx + 0.42 * (c.hip[0] - wx), wy + 70), (c.hip[0] - 7, c.hip[1] - 60), c.hip, c.hem
        )
        hem = self.way(side, c.hem, (c.hem[0] * 0.5, c.hem[1] + c.hem_bow * 0.8), (-6, c.hem[1] + c.hem_bow))
        top = self.way(side, (-6, wy + 16), (wx * 0.5, wy + 13), (wx, wy + 2))
        half = p.layer(join(top, outer, hem), self.base, thick=3, edge=0.8, shadow=0.2, **options)
        half.side, half.outer, half.hem = side, outer, hem
        return half

    def points(self):
        return {"waist": self.pair(self.cut.waist), "hem": self.pair(self.cut.hem)}


def denim_skirt(cut, base="#1f2f4b", thread="#c08a4c", metal="#a98456", label="VITRINE"):
    s = DenimSkirt(cut, base)
    p, c = s.piece, cut
    wx, wy = c.waist
    relief = 4.0 * p.noise(140, 2) + 4.0 * p.creases(170)
    weave = lambda layer, u, v: fabrics.denim(layer, u, v, np.clip(0.10 + 0.05 * p.noise(40, 2), 0, 1))
    for half in s.legs:
        side = half.side
        half.height += relief
        for k in range(5):
            x = c.hem[0] * (0.15 + 0.17 * k + p.rng.uniform(-0.04, 0.04))
            y = p.rng.uniform(330, 470)
            half.fold(
                [s.at(side, x * 0.86, y), s.at(side, x * 0.94, 0.5 * (y + c.hem[1])), s.at(side, x, c.hem[1] + 20)],
                p.rng.uniform(18, 28),
                p.rng.uniform(3, 7),
                "open",
                0.3,
            )
        for k in range(5):
            y = 240 + 70 * k + p.rng.uniform(-20, 20)
            edge = np.interp(y, [wy, c.hip[1], c.hem[1]], [wx, c.hip[0], c.hem[0]])
            half.fold(
                [s.at(side, edge + 3, y), s.at(side, edge - 60, y + 14), s.at(side, edge - 130, y + 44)],
                11,
                p.rng.uniform(2, 4),
                "start",
                0.3 * side,
            )
        fade = 0.06 + 0.32 * np.exp(-(((p.x - s.cx - side * 120) / 80) ** 2)) * np.exp(-(((p.y - 400) / 170) ** 2))
        edge = blur(p.stroke(beside(half.hem, side * 4), 6), 2.5)
        fabrics.denim(half, p.x, p.y, np.clip(fade + 0.04 * p.noise(30, 2) + 0.3 * edge, 0, 1))
        half.groove(beside(half.outer, side * 5), 1.0, 2.5, 0.15, 1.4)
        row = beside(half.hem, side * 24)
        half.stitch(row, thread)
        half.groove(beside(row, side * 3), 1.2, 3, 0.15, 2.2)
    s.calm, s.uv = relief, (p.x, p.y)
    fabrics.denim(s.inner, p.x, p.y, 0.3 + 0 * p.x)
    s.pockets(thread, weave)
    top_y, end = wy + 14 + c.band, c.hem[1] + c.hem_bow
    left = smooth(s.at(-1, 24, top_y), s.at(-1, 25, 0.5 * (top_y + end)), s.at(-1, 24, end))
    right = smooth(s.at(1, 24, top_y), s.at(1, 24, 0.5 * (top_y + end)), s.at(1, 24, end))
    strip = p.layer(join(left, right[::-1]), base, thick=4, edge=2.5, shadow=0.4, rough=0.4)
    strip.height += relief
    weave(strip, p.x + 5, p.y)
    strip.stitch(beside(left, -5), thread)
    strip.stitch(beside(right, 5), thread)
    s.waistband(weave, thread)
    for k in range(5):
        button(p, s.at(1, 0, top_y + 50 + k * (end - top_y - 90) / 4.4), 10, metal, metal=True)
    x0, y0 = s.at(1, 0, wy + 1)
    patch_label(s, x0, y0 - 1, 62, 20, "#9a6a3e", label, (50, 30, 16, 255))
    return s


class Pleats(Pattern):
    def __init__(self, cut, base, count=15, **options):
        self.cut = c = cut
        p = self.piece = Piece(cut.width, cut.height, cut.seed, sway=3)
        p.dome_width, p.dome_height = 50, 10
        wx, wy = c.waist
        back = self.across((0, wy - 4), (wx * 0.6, wy - 4), (wx, wy + 2))
        low = self.across((0, wy + 46), (wx * 0.6, wy + 40), (wx - 4, wy + 30))
        self.inner = p.layer(join(back, low[::-1]), base, thick=1, edge=3, inside=0.5, shadow=0)
        self.inner.dome = 0.2
        top = self.across((0, wy + 14), (wx * 0.5, wy + 12), (wx, wy + 1))
        sides = [self.way(s, (wx, wy + 1), (wx + 0.34 * (c.hip[0] - wx), wy + 70), c.hip, c.hem) for s in (-1, 1)]
        hem = self.across((0, c.hem[1] + c.hem_bow), (c.hem[0] * 0.5, c.hem[1] + c.hem_bow * 0.78), c.hem)
        t = np.linspace(0, 1, len(hem)) * count
        uneven = 2.0 * p.noise(90, 1)[int(c.hem[1]), np.clip(hem[:, 0].astype(int), 0, p.w - 1)]
        hem[:, 1] += np.clip(np.minimum(t, count - t) / 0.4, 0, 1) * (9 * (t % 1.0) - 4 + uneven)
        outline = join(top, sides[1], hem[::-1], sides[0][::-1])
        body = self.body = p.layer(outline, base, thick=3, edge=1.5, shadow=0.2, **options)
        rows = np.arange(p.h)
        left = np.interp(rows, sides[0][:, 1], sides[0][:, 0])[:, None]
        right = np.interp(rows, sides[1][:, 1], sides[1][:, 0])[:, None]
        across = (p.x - left) / (right - left) * count
        open_ = ramp(p.y, wy + 60, c.hem[1])
        wander = (0.05 + 0.07 * open_) * p.noise(170, 1) + 0.03 * p.noise(60, 1)
        phase = (across + wander) % 1.0
        tall = 2.0 + 8.0 * open_
        step = ramp(phase, 0.0, 0.13) * (1 - 0.72 * ramp(phase, 0.13, 1.0))
        body.height += (
            tall * step + 3.0 * p.noise(140, 2) + open_ * 2.4 * np.sin(2 * np.pi * (phase - 0.3)) * p.noise(120, 1)
        )
        body.tint(
            1 - (0.22 + 0.28 * open_) * (1 - ramp(phase, 0.0, 0.09)) - (0.06 + 0.16 * open_) * ramp(phase, 0.72, 1.0)
        )
        fabrics.twill(body, p.x, p.y, 1.4)
        fabrics.twill(self.inner, p.x, p.y)
        foot = beside(hem, -24)
        body.groove(foot, 0.5, 2, 0.08, 0.6)
        lower = self.across((0, wy + 14 + c.band), (wx * 0.5, wy + 12 + c.band), (wx + 7, wy + c.band))
        band = p.layer(join(top, lower[::-1]), base, thick=4, edge=4, shadow=0.4)
        fabrics.twill(band, p.x, p.y, 1.4)
        band.height += 1.4 * p.noise(40, 1)
        body.groove(lower, 1.6, 4, 0.25, 1.6)
        x0, y0 = self.at(1, 0, wy)
        patch_label(self, x0, y0, 58, 18, "#f0ece2", "VITRINE", (60, 60, 60, 255))

    def points(self):
        return {"waist": self.pair(self.cut.waist), "hem": self.pair(self.cut.hem)}
