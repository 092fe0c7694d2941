"""Trousers and skirts."""

from dataclasses import dataclass

import numpy as np

import fabrics
from cloth import Piece, beside, blur, colour, join, part, ramp, smooth


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


class Trousers:
    def __init__(self, cut, base, **options):
        self.cut, self.base = cut, base
        p = self.piece = Piece(cut.width, cut.height, cut.seed, sway=2.5)
        p.dome_width, p.dome_height = 46.0, 12.0
        self.cx = cut.width / 2
        c = cut
        wx, wy = c.waist
        back = self.across((0, wy - 2), (wx * 0.6, wy - 4), (wx - 3, wy + 2))
        low = self.across((0, wy + 46), (wx * 0.6, wy + 40), (wx - 4, wy + 30))
        self.inner = p.layer(join(back, low[::-1]), base, thick=1, edge=3, inside=0.55, shadow=0)
        self.inner.dome = 0.2
        self.back = back
        self.legs = []
        for side in (-1, 1):
            outer = self.way(side, (wx, wy + 2), (wx + 8, wy + 50), (c.hip[0] - 6, c.hip[1] - 70), c.hip, (c.hip[0] + 4, c.crotch + 60), (c.knee[0], c.knee[2]), (c.cuff[0], c.cuff[2]))
            inner = self.way(side, (2, c.crotch), (15, c.crotch + 36), (36, c.crotch + 160), (c.knee[1], c.knee[2]), (c.cuff[1], c.cuff[2] + 2))
            hem = self.way(side, (c.cuff[0], c.cuff[2]), (0.5 * (c.cuff[0] + c.cuff[1]), c.cuff[2] + 7), (c.cuff[1], c.cuff[2] + 2))
            top = self.way(side, (-4, wy + 16), (wx * 0.5, wy + 13), (wx, wy + 2))
            front = self.way(side, (-4, c.crotch - 4), (-4, wy + 16))
            leg = p.layer(join(top, outer, hem, inner[::-1], front), base, thick=2, edge=0.8, shadow=0.15, **options)
            leg.side, leg.outer, leg.inner_seam, leg.hem = side, outer, inner, hem
            self.legs.append(leg)

    def at(self, side, x, y):
        return self.piece.sway_points([(self.cx + side * x, y)])[0]

    def way(self, side, *points):
        return smooth(*[self.at(side, x, y) for x, y in points])

    def across(self, *points):
        left = [self.at(-1, x, y) for x, y in points[:0:-1]]
        return smooth(*left, *[self.at(1, x, y) for x, y in points])

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
                fold([(2, y), (reach * 0.5, y + fall * 0.3 + 6), (reach, y + fall)], rng.uniform(8, 13), strength * rng.uniform(2, 4.4), "start", s * 0.3)
            for k in range(9):
                y = c.knee[2] + rng.normal(-40, 62)
                a, b = (c.knee[0] + 2, c.knee[1] - 4)
                start, end = ((a, y), (a + (b - a) * rng.uniform(0.5, 0.95), y + rng.uniform(10, 62)))
                if rng.random() < 0.5:
                    start, end = (b, y), (b + (a - b) * rng.uniform(0.5, 0.95), y + rng.uniform(10, 62))
                mid = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]) + rng.uniform(0, 12))
                fold([start, mid, end], rng.uniform(8, 14), strength * rng.uniform(1.6, 3.6), "start", rng.uniform(-0.3, 0.3))
            for k in range(7):
                y = c.cuff[2] - rng.uniform(24, 200)
                a, b = (c.cuff[0] + 2, c.cuff[1] - 2)
                start, end = ((a, y), (a + (b - a) * rng.uniform(0.6, 1.0), y + rng.uniform(-26, 34)))
                if rng.random() < 0.5:
                    start, end = (b, y), (b + (a - b) * rng.uniform(0.6, 1.0), y + rng.uniform(-26, 34))
                fold([start, (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]) + 7), end], rng.uniform(7, 12), strength * rng.uniform(1.6, 3.6), "start", rng.uniform(-0.3, 0.3))
            for k in range(2):
                x = rng.uniform(90, 150)
                fold([(x, 520 + 60 * k), (x + 6, 680), (x + 4, 980 + 60 * k)], rng.uniform(22, 34), strength * rng.uniform(2, 4), "both", rng.uniform(-0.4, 0.4))
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
                loop = p.layer(np.array([(x0 - 7, y0), (x0 + 7, y0), (x0 + 7, y0 + c.band + 14), (x0 - 7, y0 + c.band + 14)]), base or self.base, thick=4, edge=3, shadow=0.45, rough=0.4)
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
            mouth = self.way(s, (wx * 0.5, wy + 13 + c.band), (wx * 0.58, wy + c.band + 46), (wx * 0.82, wy + c.band + 76), (wx + 24, wy + c.band + 84))
            inside = p.fill(join(mouth, self.way(s, (wx + 60, wy + c.band + 84), (wx + 60, wy + c.band - 10), (wx * 0.5, wy + c.band - 6))))
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
        p, c = self.piece, self.cut
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
        return smooth(self.at(1, x, wy + 16 + c.band), self.at(1, x, c.crotch - 150), self.at(1, x * 0.78, c.crotch - 108), self.at(1, 3, c.crotch - 84 - d))

    def points(self):
        c = self.cut
        pair = lambda xy: [self.at(-1, *xy).round(1).tolist(), self.at(1, *xy).round(1).tolist()]
        cuffs = [[self.at(s, c.cuff[0], c.cuff[2]).round(1).tolist(), self.at(s, c.cuff[1], c.cuff[2]).round(1).tolist()] for s in (-1, 1)]
        return {"waist": pair(c.waist), "crotch": self.at(1, 0, c.crotch).round(1).tolist(), "cuffs": cuffs}


def button(piece, at, radius, base, metal=False, holes=True, thread="#e8e4da"):
    """A sewn or riveted button."""
    t = np.linspace(0, 2 * np.pi, 40)[:-1]
    ring = lambda r: np.stack([at[0] + r * np.cos(t), at[1] + r * np.sin(t)], 1)
    layer = piece.layer(ring(radius), base, thick=3, edge=2.5, shadow=0.5, rough=0, sheen=0.25 if metal else 0.06)
    layer.dome = 0.0
    d = np.hypot(piece.x - at[0], piece.y - at[1])
    if metal:
        layer.height += 1.6 * np.exp(-(((d - 0.72 * radius) / (0.16 * radius)) ** 2)) + 1.2 * np.exp(-((d / (0.35 * radius)) ** 2))
        layer.tint(0.8 + 0.2 * ramp(d, 0.1 * radius, 0.7 * radius))
    elif holes:
        layer.height += 1.5 * np.exp(-(((d - 0.78 * radius) / (0.14 * radius)) ** 2))
        for dx in (-1, 1):
            for dy in (-1, 1):
                hole = np.hypot(piece.x - at[0] - dx * 0.26 * radius, piece.y - at[1] - dy * 0.26 * radius)
                layer.tint(1 - 0.75 * np.exp(-((hole / (0.14 * radius)) ** 2)))
        for dx in (-1, 1):
            line = smooth((at[0] + dx * 0.26 * radius, at[1] - 0.26 * radius), (at[0] + dx * 0.26 * radius, at[1] + 0.26 * radius))
            layer.paint(piece.stroke(line, 0.18 * radius), thread, 0.8)
    return layer


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
            p.ridge(whisker, smooth(t.at(leg.side, 20, y), t.at(leg.side, 95, y - 16 + 10 * k), t.at(leg.side, 180, y - 58 + 22 * k)), 9, 0.28, "both", 0)
    for leg in t.legs:
        calm = blur(leg.height, 2) - blur(leg.height, 14)
        fade = np.clip(0.06 + 0.6 * thigh * (1 + 0.2 * p.noise(40, 2)) + whisker + 0.10 * calm, 0, 0.85)
        edge = blur(p.stroke(beside(leg.outer, leg.side * 6), 5), 2.5) + blur(p.stroke(beside(leg.hem, leg.side * -3), 4), 2)
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


def patch_label(garment, x0, y0, width, height, base, text, ink, behind=1, size=11):
    p = garment.piece
    w = width / 2
    layer = p.layer(np.array([(x0 - w, y0), (x0 + w, y0), (x0 + w, y0 + height), (x0 - w, y0 + height)]), base, thick=1.5, edge=1.5, inside=0.75, shadow=0.4, rough=0.2)
    layer.dome = 0
    layer.tint(1 + 0.05 * p.noise(6, 2))
    fabrics.screen_print(layer, fabrics.graphic(p, lambda d, s: fabrics.spaced(d, (x0 * s, (y0 + height / 2) * s), text, size * s, ink, 1.2 * s)), wear=0)
    p.layers.remove(layer)
    p.layers.insert(behind, layer)
    return layer
