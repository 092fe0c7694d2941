"""Garments that button in front: shirts and jackets."""

import numpy as np

import fabrics
from cloth import beside, blur, join, part, resample, smooth
from fittings import button, patch_label
from upper import Top


class Shirt(Top):
    """A top with a folded collar and a button placket."""

    def make_inside(self, base):
        p, c = self.piece, self.cut
        back = self.across(
            (0, c.top - 10), (c.neck * 0.6, c.top - 14), (c.neck * 0.96, c.top - 17), (c.neck + 14, c.top - 8)
        )
        low = self.across(
            (0, c.top + c.neck_depth + 10), (c.neck * 0.7, c.top + c.neck_depth), (c.neck + 10, c.top + 10)
        )
        layer = p.layer(join(back, low[::-1]), base, thick=1, edge=4, inside=0.6, shadow=0)
        layer.dome = 0.2
        self.back_curve = back
        return layer

    def start(self, weave, strength=1.0, bend=4):
        """Folds and cloth of body and sleeves."""
        p = self.piece
        self.weave = weave
        self.drape(strength)
        self.calm = self.body.height.copy()
        self.uv = fabrics.bent(self.body, p.x, p.y, bend)
        weave(self.inner, p.x, p.y)
        weave(self.body, *self.uv)
        for arm in self.arms:
            along, across, _ = p.along(arm.axis, 700)
            arm.uv = fabrics.bent(arm, across, along, bend)
            weave(arm, *arm.uv)

    def stand(self, weave, thread):
        """The seam of the collar stand on the inside of the neck."""
        self.inner.groove(beside(self.back_curve, 30), 1.5, 3, 0.25, 0.4)
        self.inner.stitch(beside(self.back_curve, 6), thread, opacity=0.5)

    def placket(self, half, thread, until=None):
        p, c = self.piece, self.cut
        y1 = (c.hem[1] + c.hem_bow) if until is None else until
        y0 = c.top + c.neck_depth - 6
        left = smooth(self.at(-1, half, y0), self.at(-1, half + 1, 0.5 * (y0 + y1)), self.at(-1, half, y1))
        right = smooth(self.at(1, half, y0), self.at(1, half - 1, 0.5 * (y0 + y1)), self.at(1, half, y1))
        strip = self.patch(
            join(left, right[::-1]),
            self.base,
            self.weave,
            (self.uv[0] + 7, self.uv[1] + 3),
            thick=3,
            edge=2,
            shadow=0.3,
            rough=0.4,
        )
        strip.height += 0.8 * p.noise(22, 1)
        strip.stitch(beside(left, -5), thread)
        strip.stitch(beside(right, 5), thread)
        return strip

    def buttons(self, base, radius, first, last, count, x=0.0, metal=False):
        for k in range(count):
            y = first + (last - first) * k / max(1, count - 1)
            button(self.piece, self.at(1, x, y), radius, base, metal=metal)

    def leaves(self, thread, tip=(62, 66), spread=36, weave_turn=0.0, double=False):
        """The two fallen halves of the collar."""
        p, c = self.piece, self.cut
        n, t, d = c.neck, c.top, c.neck_depth
        for side in (-1, 1):
            fold = self.way(side, (n - 8, t - 17), (n * 0.86, t + d * 0.18), (n * 0.46, t + d * 0.68), (4, t + d + 2))
            front = self.way(side, (4, t + d + 2), (tip[0] * 0.6, t + d + tip[1] * 0.52), (tip[0], t + d + tip[1]))
            outer = self.way(
                side, (tip[0], t + d + tip[1]), (n * 0.5 + tip[0] * 0.45 + 14, t + d * 0.62 + 16), (n + spread, t + 26)
            )
            top = self.way(side, (n + spread, t + 26), (n + spread * 0.72, t + 2), (n + 14, t - 14), (n - 8, t - 17))
            leaf = p.layer(join(fold, front, outer, top), self.base, thick=8, edge=4, shadow=0.6, rough=0.4)
            a = side * 0.62 + weave_turn
            self.weave(
                leaf,
                p.x * np.float32(np.cos(a)) + p.y * np.float32(np.sin(a)),
                p.y * np.float32(np.cos(a)) - p.x * np.float32(np.sin(a)),
            )
            # The cloth rolls over at the fold line.
            u, v, _ = p.along(fold, 60)
            leaf.height += 7.0 * np.exp(-((v / 16) ** 2)) + 1.2 * p.noise(40, 1)
            leaf.dome = 0.5
            for k in range(2 if double else 1):
                away = 6 + 5 * k
                leaf.stitch(part(beside(front, -side * away), 0.05, 1 - 0.09 - 0.05 * k), thread)
                leaf.stitch(part(beside(outer, -side * away), 0.06 + 0.04 * k, 1), thread)

    def pocket(self, side, x, y, width, height, thread, point=10, double=False):
        corners = [
            (x - width / 2, y),
            (x + width / 2, y),
            (x + width / 2, y + height - point),
            (x, y + height),
            (x - width / 2, y + height - point),
        ]
        outline = join(*[self.at(side, *q) for q in corners])
        layer = self.patch(
            outline, self.base, self.weave, (self.uv[0] + 2, self.uv[1] + 1), thick=3, edge=2.5, shadow=0.35, rough=0.4
        )
        row = join(*[self.at(side, *q) for q in inset(corners, 4)])
        layer.stitch(resample(np.concatenate([row[1:], row[:1]]), 1), thread)
        top = smooth(self.at(side, x - width / 2, y + 20), self.at(side, x + width / 2, y + 20))
        layer.stitch(top, thread)
        if double:
            row = join(*[self.at(side, *q) for q in inset(corners, 9)])
            layer.stitch(resample(np.concatenate([row[1:], row[:1]]), 1), thread)
        return layer

    def flap(self, side, x, y, width, height, thread, point=14):
        corners = [
            (x - width / 2, y),
            (x + width / 2, y),
            (x + width / 2, y + height - point),
            (x, y + height),
            (x - width / 2, y + height - point),
        ]
        layer = self.patch(
            join(*[self.at(side, *q) for q in corners]),
            self.base,
            self.weave,
            (self.uv[0] + 5, self.uv[1] + 4),
            thick=5,
            edge=3,
            shadow=0.5,
            rough=0.4,
        )
        for d in (4, 9):
            row = join(*[self.at(side, *q) for q in inset(corners, d)])
            layer.stitch(resample(np.concatenate([row[1:], row[:1]]), 1), thread)
        return layer

    def cuffs(self, width, thread, button_base, metal=False, radius=6.5):
        p = self.piece
        for arm in self.arms:
            inward = beside(arm.cuff, arm.side * width)
            band = p.layer(join(arm.cuff, inward[::-1]), self.base, thick=3, edge=3.5, shadow=0.35, rough=0.4)
            self.weave(band, arm.uv[0] + 3, arm.uv[1])
            band.dome = 0.7
            band.stitch(beside(arm.cuff, arm.side * 5), thread)
            band.stitch(beside(inward, arm.side * -5), thread)
            arm.groove(inward, 2.0, 4, 0.2, 2.4)
            middle = beside(arm.cuff, arm.side * width * 0.5)
            button(p, middle[int(0.22 * len(middle))], radius, button_base, metal=metal)


def inset(corners, d):
    """The corners of a convex outline moved inwards."""
    corners = np.asarray(corners, float)
    before, after = np.roll(corners, 1, 0), np.roll(corners, -1, 0)
    a = (corners - before) / np.linalg.norm(corners - before, axis=1, keepdims=True)
    b = (after - corners) / np.linalg.norm(after - corners, axis=1, keepdims=True)
    na, nb = np.stack([-a[:, 1], a[:, 0]], 1), np.stack([-b[:, 1], b[:, 0]], 1)
    scale = 1 / np.maximum(0.3, 1 + (na * nb).sum(1))
    return corners + d * (na + nb) * scale[:, None]


JACKET = dict(
    width=1120,
    height=880,
    neck=92,
    top=72,
    shoulder=(248, 138),
    armpit=(266, 336),
    waist=(258, 560),
    hem=(246, 776),
    hem_bow=8,
    neck_depth=74,
    sleeve=620,
    sleeve_angle=70,
    cuff=96,
    cuff_slant=-4,
)


def denim_jacket(cut, base="#35527c", thread="#c08a4c", metal="#a98456", label="VITRINE"):
    top = Shirt(cut, base)
    p, c = top.piece, cut
    weave = lambda layer, u, v: fabrics.denim(
        layer,
        u,
        v,
        np.clip(0.22 + 0.07 * p.noise(46, 2) + 0.03 * (blur(layer.height, 2) - blur(layer.height, 16)), 0, 0.9),
    )
    top.start(weave, 1.15)
    top.seams(2.0)
    for side in (-1, 1):
        top.body.stitch(beside(top.armhole(side), side * 7), thread)
        top.body.stitch(beside(top.armhole(side), side * 12), thread)
        yoke = top.way(side, (16, 268), (130, 266), (c.shoulder[0] - 3, 262))
        faded_seam(top, top.body, yoke, thread, side, -1)
        for x0, x1 in ((74, 52), (178, 112)):
            seam = top.way(side, (x0, 320), (0.5 * (x0 + x1) + 2, 540), (x1, c.hem[1] - 44))
            faded_seam(top, top.body, seam, thread, side, 1)
    top.placket(26, thread, until=c.hem[1] + 4)
    for side in (-1, 1):
        top.pocket(side, 126, 268, 112, 122, thread, 22)
        top.flap(side, 126, 266, 118, 52, thread, 18)
        button(p, top.at(side, 126, 302), 8, metal, metal=True)
    hem = top.hem_curve()
    high = beside(hem, -44)
    ends = join(hem, high[::-1])
    band = p.layer(ends, base, thick=3, edge=4, shadow=0.35, rough=0.5)
    weave(band, p.y, p.x)
    band.stitch(beside(hem, -5), thread)
    band.stitch(beside(high, 5), thread)
    band.dome = 0.7
    top.body.groove(high, 2.0, 4, 0.25, 2.4)
    for x in (-26, 26):
        band.groove(smooth(top.at(1, x, c.hem[1] - 42), top.at(1, x, c.hem[1] + 12)), 1.6, 2, 0.25, 0.2)
    top.cuffs(44, thread, metal, metal=True, radius=8)
    top.stand(weave, thread)
    top.leaves(thread, tip=(84, 74), spread=44, double=True)
    top.buttons(metal, 9.5, c.top + c.neck_depth + 26, c.hem[1] - 14, 6, metal=True)
    x0, y0 = top.at(1, 0, c.top + 24)
    patch_label(top, x0, y0, 76, 30, "#8a5c36", label, (44, 26, 14, 255), size=13)
    return top


def faded_seam(top, layer, curve, thread, side, towards):
    """A flat-felled seam, worn pale at its edges."""
    p = top.piece
    layer.groove(curve, 1.8, 2.5, 0.25, 1.4)
    worn = blur(p.stroke(beside(curve, side * towards * 5), 7), 2.2) * np.clip(0.5 + 0.5 * p.noise(7, 1), 0, 1)
    layer.paint(np.clip(worn, 0, 1), "#9db1cc", 0.3)
    for d in (3.5, 9):
        layer.stitch(beside(curve, side * towards * d), thread)


SHIRT = dict(
    width=1080,
    height=990,
    neck=88,
    top=74,
    shoulder=(236, 138),
    armpit=(254, 336),
    waist=(240, 600),
    hem=(250, 846),
    hem_bow=74,
    tail=True,
    neck_depth=76,
    sleeve=640,
    sleeve_angle=70,
    cuff=82,
    cuff_slant=-4,
)


def shirt(
    cut, base, weave, thread, button_base="#f2f0ea", pockets=1, flaps=False, strength=1.0, label="VITRINE", radius=7.0
):
    """A long-sleeved shirt with a rounded tail."""
    top = Shirt(cut, base)
    p, c = top.piece, cut
    top.start(weave, strength)
    top.seams(1.4)
    for side in (-1, 1):
        top.body.stitch(beside(top.armhole(side), side * 7), thread, opacity=0.6)
        yoke = top.way(
            side,
            (c.neck + 34, c.top + 62),
            (0.5 * (c.neck + c.shoulder[0]) + 24, c.top + 66),
            (c.shoulder[0] - 4, c.shoulder[1] + 22),
        )
        top.body.groove(yoke, 1.0, 2.2, 0.15, 0.8)
        top.body.stitch(beside(yoke, side * 4), thread, opacity=0.6)
    hem = top.hem_curve()
    top.body.stitch(beside(hem, -9), thread)
    top.body.groove(beside(hem, -12), 0.8, 2.4, 0.1, 1.6)
    top.placket(20, thread, until=c.hem[1] + c.hem_bow - 1)
    for side in ((1,) if pockets == 1 else (-1, 1)):
        top.pocket(side, 122, 292, 112, 132, thread, 14)
        if flaps:
            top.flap(side, 122, 284, 120, 46, thread, 14)
            button(p, top.at(side, 122, 314), radius, button_base)
    top.cuffs(62, thread, button_base, radius=radius)
    top.stand(weave, thread)
    top.leaves(thread, tip=(66, 70), spread=32)
    top.buttons(button_base, radius, c.top + c.neck_depth + 12, c.hem[1] + 6, 8)
    top.label(label, y=c.top + 30)
    return top


def flannel(dark, light):
    return lambda layer, u, v: fabrics.plaid(layer, u, v, dark, light)
