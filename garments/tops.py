"""Garments for the upper body."""

from dataclasses import dataclass, field

import numpy as np

import fabrics
from cloth import Pattern, Piece, beside, blur, colour, flip, join, mirror, part, ramp, resample, smooth


@dataclass
class Cut:
    """The pattern of a top, as distances in px; x from the middle, y from the top of the picture."""

    width: int = 1000
    height: int = 980
    seed: int = 1
    neck: float = 96
    top: float = 62
    shoulder: tuple = (240, 116)
    armpit: tuple = (258, 312)
    waist: tuple = (250, 600)
    hem: tuple = (262, 906)
    hem_bow: float = 10
    neck_depth: float = 92
    back_depth: float = 16
    sleeve: float = 228
    sleeve_angle: float = 36
    cuff: float = 150
    cuff_slant: float = 6
    sides: list = field(default_factory=list)
    flare: list = field(default_factory=list)
    hem_wave: float = 0
    tail: bool = False
    armhole_cut: list = field(default_factory=list)


class Top(Pattern):
    """A piece with a body, two sleeves and the inside of its neck."""

    def __init__(self, cut, base, sleeves=True, inside_base=None, sway=3.0, **options):
        self.cut = cut
        self.piece = Piece(cut.width, cut.height, cut.seed, sway=sway)
        self.base, self.options = base, options
        p = self.piece
        self.inner = self.make_inside(inside_base or base)
        self.arms = [self.make_sleeve(side) for side in (-1, 1)] if sleeves else []
        self.body = p.layer(self.body_outline(), base, thick=3, edge=1.5, shadow=0.22, **options)


    # Outlines

    def neck_curve(self, wider=0.0):
        """The neck opening, or a line `wider` px outside it that ends on the shoulders."""
        c = self.cut
        half, depth, top = c.neck + wider, c.neck_depth, c.top
        fall = (c.shoulder[1] - c.top) / (c.shoulder[0] - c.neck) * 0.85 * wider
        return self.across((0, top + depth + wider), (half * 0.48, top + depth * 0.88 + wider * 0.94),
                           (half * 0.86, top + depth * 0.5 + wider * 0.75), (half, top + fall))

    def shoulder_curve(self, side):
        c = self.cut
        (sx, sy) = c.shoulder
        return self.way(side, (c.neck, c.top), (c.neck + 0.5 * (sx - c.neck), c.top + 0.44 * (sy - c.top)), (sx, sy))

    def armhole(self, side):
        c = self.cut
        (sx, sy), (ax, ay) = c.shoulder, c.armpit
        if c.armhole_cut:
            return self.way(side, (sx, sy), *c.armhole_cut, (ax, ay))
        return self.way(side, (sx, sy), (sx - 9, sy + 0.35 * (ay - sy)), (sx - 2, sy + 0.72 * (ay - sy)), (ax, ay))

    def side_seam(self, side):
        c = self.cut
        return self.way(side, c.armpit, *c.sides, c.waist, *c.flare, c.hem)

    def hem_curve(self):
        c = self.cut
        (hx, hy), bow = c.hem, c.hem_bow
        curve = self.across((0, hy + bow), (hx * 0.55, hy + bow * 0.8), c.hem)
        if c.tail:
            curve = self.across((0, hy + bow), (hx * 0.4, hy + bow * 0.97), (hx * 0.72, hy + bow * 0.66), (hx * 0.92, hy + bow * 0.18), c.hem)
        if c.hem_wave:
            t = np.linspace(0, 1, len(curve))
            wave = np.sin(2 * np.pi * 4.5 * t + 0.8) + 0.6 * np.sin(2 * np.pi * 7.3 * t + 2.0)
            curve[:, 1] += c.hem_wave * wave * np.sin(np.pi * t) ** 0.3
        return curve

    def body_outline(self):
        left = join(self.shoulder_curve(-1), self.armhole(-1), self.side_seam(-1))
        right = join(self.side_seam(1)[::-1], self.armhole(1)[::-1], self.shoulder_curve(1)[::-1])
        return join(left, self.hem_curve(), right, self.neck_curve()[::-1])

    def make_inside(self, base):
        p, c = self.piece, self.cut
        back = self.across((0, c.top + c.back_depth), (c.neck * 0.6, c.top + c.back_depth * 0.72), (c.neck, c.top))
        low = self.across((0, c.top + c.neck_depth + 30), (c.neck * 0.7, c.top + c.neck_depth), (c.neck + 14, c.top + 14))
        layer = p.layer(join(back, low[::-1]), base, thick=1, edge=1, inside=0.52, shadow=0)
        layer.dome = 0.2
        self.back_curve = back
        return layer

    def sleeve_points(self):
        c = self.cut
        a = np.radians(c.sleeve_angle)
        down, out = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        s = np.array(c.shoulder, float)
        cuff_out = s + c.sleeve * down
        cuff_in = cuff_out + c.cuff * out - c.cuff_slant * down
        return s, cuff_out, cuff_in, np.array(c.armpit, float), down, out

    def make_sleeve(self, side):
        p, c = self.piece, self.cut
        s, cuff_out, cuff_in, arm, down, out = self.sleeve_points()
        cap = 4 + 9 * (c.sleeve > 330)
        start = tuple(s + (0, -1))
        upper = [tuple(s + (0, -1)), tuple(s + 0.13 * (cuff_out - s) - cap * out), tuple(s + 0.3 * (cuff_out - s) - (cap + 2) * out), tuple(s + 0.65 * (cuff_out - s) - 3 * out), tuple(cuff_out)]
        lower = [tuple(arm + (-2, 0)), tuple(arm + 0.5 * (cuff_in - arm) - 3 * out), tuple(cuff_in)]
        if c.sleeve > 330:
            # The sleeve goes on from the slope of the shoulder in one round line.
            n, top = c.neck, c.top
            before = (n + 0.8 * (s[0] - n), top + 0.76 * (s[1] - top))
            start = (before[0] - 4, before[1] + 24)
            upper = [before, tuple(s + (2, -1)), tuple(s + 0.07 * (cuff_out - s) - 11 * out), *upper[1:]]
        upper, lower = self.way(side, *upper), self.way(side, *lower)
        bow = 0.5 * (cuff_out + cuff_in) + 5 * down
        cuff = self.way(side, tuple(cuff_out), tuple(bow), tuple(cuff_in))
        into = self.way(side, tuple(arm + (-2, 0)), tuple(arm + (-40, -60)), tuple(s + (-46, 40)), start)
        layer = p.layer(join(upper, cuff, lower[::-1], into), self.base, thick=3, edge=1.5, shadow=0.2, **self.options)
        layer.side, layer.upper, layer.lower, layer.cuff = side, upper, lower, cuff
        mid_top = 0.5 * (s + arm)
        layer.axis = self.way(side, tuple(mid_top - 60 * down), tuple(mid_top), tuple(0.5 * (cuff_out + cuff_in) + 40 * down))
        return layer

    # Folds

    def drape(self, strength=1.0):
        """Folds of a top that hangs from its shoulders."""
        p, c, cx = self.piece, self.cut, self.cx
        rng, body = p.rng, self.body
        strength = 1.9 * strength
        long = c.hem[1] - c.armpit[1]
        body.height += strength * 1.5 * p.noise(170, 2) + strength * 2.4 * p.creases(230) * ramp(p.y, c.armpit[1] - 40, c.armpit[1] + 120)
        for side in (-1, 1):
            # Broad folds that cross the body from one armpit towards the other hip.
            ax, ay = c.armpit
            for k in range(3):
                x0, y0 = ax * rng.uniform(0.72, 0.98), ay + rng.uniform(20, 90)
                x1, y1 = ax * rng.uniform(-0.35, 0.25), ay + long * rng.uniform(0.4, 0.8)
                bow = rng.uniform(-30, 30)
                body.fold([self.at(side, x0, y0), self.at(side, 0.5 * (x0 + x1) + bow, 0.5 * (y0 + y1) + 0.6 * abs(bow)), self.at(side, x1, y1)],
                          rng.uniform(13, 26), strength * rng.uniform(1.4, 3.0), rng.choice(["start", "both"]), side * rng.uniform(-0.4, 0.4))
            for k in range(5):
                angle = np.radians(rng.uniform(100, 165) if k < 3 else rng.uniform(165, 200))
                reach = rng.uniform(90, 210)
                start = np.array([ax - 6, ay + rng.uniform(-26, 10)])
                end = start + reach * np.array([np.cos(angle), np.sin(angle)])
                mid = 0.5 * (start + end) + rng.normal(0, 9, 2)
                body.fold([self.at(side, *start), self.at(side, *mid), self.at(side, *end)],
                          rng.uniform(9, 15), strength * rng.uniform(2.0, 4.2), "start", side * 0.3)
            sx, sy = c.shoulder
            for k in range(2):
                x = rng.uniform(0.62, 0.95) * sx
                body.fold([self.at(side, x, sy + 30), self.at(side, x + rng.uniform(-10, 12), sy + 110), self.at(side, x - rng.uniform(0, 30), ay + 20)],
                          rng.uniform(14, 20), strength * rng.uniform(1.5, 2.6), "both", side * 0.3)
            wx, wy = c.waist
            for k in range(6):
                y = ay + long * (0.15 + 0.68 * (k + rng.random()) / 6)
                inward, drop = rng.uniform(90, 210), rng.uniform(20, 110)
                edge = np.interp(y, [ay, wy, c.hem[1]], [ax, wx, c.hem[0]])
                body.fold([self.at(side, edge + 4, y), self.at(side, edge - inward * 0.5, y + drop * 0.35), self.at(side, edge - inward, y + drop)],
                          rng.uniform(10, 17), strength * rng.uniform(1.4, 3.2), "start", side * 0.3)
        for k in range(6):
            x = rng.uniform(-0.85, 0.85) * c.hem[0]
            y = c.hem[1] - rng.uniform(150, 0.5 * long)
            body.fold([self.at(1, x * 0.92, y), self.at(1, x, 0.5 * (y + c.hem[1])), self.at(1, x * 1.02, c.hem[1] + 20)],
                      rng.uniform(18, 32), strength * rng.uniform(1.8, 3.6), "open", rng.uniform(-0.4, 0.4))
        for arm in self.arms:
            arm.height += strength * 1.6 * p.noise(70, 2)
            self.drape_sleeve(arm, strength)

    def drape_sleeve(self, arm, strength):
        p, c, rng = self.piece, self.cut, self.piece.rng
        s, cuff_out, cuff_in, pit, down, out = self.sleeve_points()
        length = np.linalg.norm(cuff_out - s)
        if length < 330:
            for k in range(4):
                start = pit + (4, -6) + rng.normal(0, 6, 2)
                end = s + down * length * rng.uniform(0.25, 0.95) + out * rng.uniform(10, 60)
                arm.fold([self.at(arm.side, *start), self.at(arm.side, *(0.5 * (start + end) + rng.normal(0, 6, 2))), self.at(arm.side, *end)],
                         rng.uniform(9, 14), strength * rng.uniform(1.8, 3.2), "start", 0.3 * arm.side)
            return
        for k in range(22):
            t = np.clip(rng.choice([rng.uniform(0.05, 0.3), rng.normal(0.5, 0.1), rng.uniform(0.6, 0.97)]), 0.03, 0.97)
            from_inner = rng.random() < 0.62
            inner = pit + (cuff_in - pit) * np.clip((t * length - 150) / (length - 150), 0, 1)
            outer = s + (cuff_out - s) * t
            a, b = (inner, outer) if from_inner else (outer, inner)
            b = a + (b - a) * rng.uniform(0.5, 0.95) + down * rng.uniform(-70, 55)
            mid = 0.5 * (a + b) + down * rng.uniform(2, 16)
            arm.fold([self.at(arm.side, *a), self.at(arm.side, *mid), self.at(arm.side, *b)],
                     rng.uniform(7, 13), strength * rng.uniform(1.5, 3.4), "start", rng.uniform(-0.3, 0.3))

    def hang(self, start, end, from_half, to_half, count, tall, inset=0.95):
        """Long folds that open towards the hem."""
        rng = self.piece.rng
        for k in range(count):
            t = -inset + 2 * inset * (k + 0.5 + rng.uniform(-0.3, 0.3)) / count
            y0 = start + rng.uniform(0, 0.35) * (end - start) * (rng.random() < 0.5)
            along = (y0 - start) / (end - start)
            x0 = t * (from_half + along * (to_half - from_half))
            points = [self.at(1, x0, y0), self.at(1, 0.5 * (x0 + t * to_half) + rng.normal(0, 5), 0.5 * (y0 + end)),
                      self.at(1, t * to_half * 1.01, end + 24)]
            self.body.fold(points, 0.42 * 2 * to_half / count * rng.uniform(0.75, 1.15), tall * rng.uniform(0.6, 1.2), "open",
                           rng.uniform(-0.45, 0.45))

    # Details

    def patch(self, outline, base, weave, uv, **options):
        """A piece of the same cloth sewn onto the body; it takes on the body's folds."""
        layer = self.piece.layer(outline, base, **options)
        layer.height += self.calm
        weave(layer, *uv)
        return layer

    def seams(self, depth=1.6):
        for side in (-1, 1):
            if self.arms:
                seam = self.armhole(side)
                self.body.groove(seam, depth, 3.0, 0.2)
                self.arms[0 if side < 0 else 1].groove(seam, depth, 3.0, 0.2)

    def rib_collar(self, base, width=24, dark=0.25):
        """A band of ribbing around the neck, front and back."""
        p, c = self.piece, self.cut
        back_low = beside(self.back_curve, width * 0.72)
        band = p.layer(join(self.back_curve, back_low[::-1]), base, thick=2, edge=4, inside=0.72, shadow=0.35)
        band.ribs(beside(self.back_curve, width * 0.36), width, 5.5, 0.7, dark)
        band.tint(1 + 0.02 * p.grain())
        band.dome = 0.2
        # The front band goes last so that it lies over the shoulder seams.
        front = self.neck_curve()
        outer = self.neck_curve(width)
        layer = p.layer(join(front, outer[::-1]), base, thick=2, edge=5, shadow=0.3)
        layer.ribs(beside(front, width * 0.5), width, 5.5, 0.7, dark)
        layer.tint(1 + 0.02 * p.grain())
        layer.dome = 0.3
        self.body.groove(outer, 1.4, 2.5, 0.2)
        p.layers.remove(band)
        p.layers.insert(p.layers.index(self.inner) + 1, band)
        return layer

    def label(self, text, base="#f2f0ea", ink=(60, 60, 60, 255), y=None, size=(58, 30)):
        p, c = self.piece, self.cut
        y = (c.top + c.back_depth + 24) if y is None else y
        x0, y0 = self.at(1, 0, y)
        w, h = size[0] / 2, size[1]
        square = np.array([(x0 - w, y0), (x0 + w, y0 + 1), (x0 + w - 1, y0 + h), (x0 - w, y0 + h - 1)])
        layer = p.layer(square, base, thick=1.5, edge=1.5, inside=0.7, shadow=0.4, rough=0.2)
        layer.dome = 0
        fabrics.screen_print(layer, fabrics.graphic(p, lambda d, s: fabrics.spaced(
            d, (x0 * s, (y0 + h / 2) * s), text, 11 * s, ink, 1.2 * s)), wear=0)
        p.layers.remove(layer)
        p.layers.insert(p.layers.index(self.inner) + 2, layer)
        return layer

    def points(self, filled=True):
        c = self.cut
        found = {
            "shoulder": self.pair(c.shoulder),
            "collar": self.pair((c.neck, c.top)),
            "armpit": self.pair(c.armpit),
            "hem": self.pair(c.hem),
            "neckline_depth": round(float(c.neck_depth), 1),
            "neckline_filled": filled,
        }
        if self.arms:
            _, cuff_out, cuff_in, *_ = self.sleeve_points()
            found["sleeve_cuffs"] = [[self.at(s, *cuff_out).round(1).tolist(), self.at(s, *cuff_in).round(1).tolist()] for s in (-1, 1)]
        return found


def tee(cut, base, strength=1.0, heather=0.0, collar=None, finish=None, label="VITRINE", sheen=0.0):
    """A crew-neck T-shirt; `finish(top)` adds what is printed on it."""
    top = Top(cut, base, sheen=sheen)
    p = top.piece
    top.drape(strength)
    fabrics.jersey(top.inner, p.x, p.y)
    fabrics.jersey(top.body, p.x, p.y, heather=heather)
    for arm in top.arms:
        u, v, _ = p.along(arm.axis, 400)
        fabrics.jersey(arm, v, u, heather=heather)
    if finish:
        finish(top)
    top.seams()
    thread = np.clip(top.body.albedo.mean((0, 1)) * 1.12, 0, 1)
    for arm in top.arms:
        for d in (20, 26):
            row = beside(arm.cuff, (1 if arm.side > 0 else -1) * d)
            arm.stitch(row, thread, 4, 2.4, 1.3, 0.6, 0.6)
        arm.groove(beside(arm.cuff, (1 if arm.side > 0 else -1) * 29), 0.8, 2.5, 0.08, 1.4)
    hem = top.hem_curve()
    for d in (22, 28):
        top.body.stitch(beside(hem, -d), thread, 4, 2.4, 1.3, 0.6, 0.6)
    top.body.groove(beside(hem, -31), 0.8, 2.5, 0.08, 1.6)
    top.rib_collar(collar or base)
    top.label(label)
    return top


def red_print(top):
    p = top.piece
    cx, cream = top.cx, (246, 236, 214, 255)

    def painter(d, s):
        y = 430
        r = 112
        d.ellipse([(cx - r) * s, (y - r) * s, (cx + r) * s, (y + r) * s], fill=(244, 190, 84, 255))
        for k, gap in enumerate((18, 40, 60, 78, 94)):
            h = 3 + 2.2 * k
            d.rectangle([(cx - r - 2) * s, (y + gap) * s, (cx + r + 2) * s, (y + gap + h) * s], fill=(0, 0, 0, 0))
        ridge = [(-150, 96), (-92, 20), (-62, 54), (-8, -34), (34, 34), (62, 8), (150, 96)]
        d.polygon([((cx + x) * s, (y + yy) * s) for x, yy in ridge], fill=(34, 46, 66, 255))
        for cap in ([(-92, 20), (-110, 44), (-96, 40), (-88, 50), (-78, 36)], [(-8, -34), (-32, 4), (-16, -4), (-4, 14), (8, -2), (16, 4)]):
            d.polygon([((cx + x) * s, (y + yy) * s) for x, yy in cap], fill=cream)
        d.rectangle([(cx - 160) * s, (y + 90) * s, (cx + 160) * s, (y + 120) * s], fill=(0, 0, 0, 0))
        fabrics.spaced(d, (cx * s, (y + 150) * s), "NORTHBOUND", 46 * s, cream, 5 * s, weight=2 * s)
        fabrics.spaced(d, (cx * s, (y + 192) * s), "MOUNTAIN  CLUB  1974", 20 * s, cream, 4 * s)
    fabrics.screen_print(top.body, fabrics.graphic(p, painter))


LONG = dict(width=1080, height=980, shoulder=(236, 124), armpit=(252, 318), waist=(238, 600), hem=(248, 906), sleeve=640, sleeve_angle=70, cuff=84, cuff_slant=-4)


def sweatshirt(cut, base, strength=1.0, cuff_width=0, fabric=None, finish=None, collar=None, label="VITRINE", sheen=0.0,
               rib=(5.5, 0.7, 0.25), collar_width=24):
    """A long-sleeved pullover; with `cuff_width` its cuffs and hem are ribbed."""
    top = Top(cut, base, sheen=sheen)
    p = top.piece
    top.drape(strength)
    weave = fabric or fabrics.jersey
    fabrics.jersey(top.inner, p.x, p.y)
    u, v = fabrics.bent(top.body, p.x, p.y - 8 * (1 - ((p.x - top.cx) / cut.hem[0]) ** 2), 4)
    top.body.uv = (u, v)
    weave(top.body, u, v)
    for arm in top.arms:
        along, across, _ = p.along(arm.axis, 700)
        arm.uv = fabrics.bent(arm, across, along, 4)
        weave(arm, *arm.uv)
    if finish:
        finish(top)
    top.seams()
    thread = np.clip(top.body.albedo.mean((0, 1)) * 1.12, 0, 1)
    hem = top.hem_curve()
    if cuff_width:
        for arm in top.arms:
            inward = beside(arm.cuff, arm.side * cuff_width)
            band = p.layer(join(arm.cuff, inward[::-1]), collar or base, thick=2, edge=6, shadow=0.25)
            band.ribs(beside(arm.cuff, arm.side * cuff_width * 0.5), cuff_width, *rib)
            band.dome = 0.5
            arm.groove(inward, 2.2, 4, 0.2, 2.0)
        high = beside(hem, -cuff_width)
        band = p.layer(join(hem, high[::-1]), collar or base, thick=2, edge=7, shadow=0.25)
        band.ribs(beside(hem, -cuff_width * 0.5), cuff_width, *rib)
        band.dome = 0.6
        top.body.groove(high, 2.4, 5, 0.2, 2.6)
    else:
        for arm in top.arms:
            for d in (18, 24):
                arm.stitch(beside(arm.cuff, arm.side * d), thread, 4, 2.4, 1.3, 0.6, 0.6)
        for d in (22, 28):
            top.body.stitch(beside(hem, -d), thread, 4, 2.4, 1.3, 0.6, 0.6)
        top.body.groove(beside(hem, -31), 0.8, 2.5, 0.08, 1.6)
    top.rib_collar(collar or base, collar_width)
    top.label(label)
    return top


def breton(top):
    fabrics.stripes(top.body, top.body.uv[1], "#1d2a47", 34, 15, start=232)
    for arm in top.arms:
        fabrics.stripes(arm, arm.uv[1], "#1d2a47", 34, 15, start=90)


def tank(cut, base, strength=1.0, trim=None, label="VITRINE"):
    """A sleeveless top with bound neck and armholes."""
    top = Top(cut, base, sleeves=False)
    p = top.piece
    top.drape(strength)
    fabrics.jersey(top.inner, p.x, p.y)
    fabrics.jersey(top.body, p.x, p.y, heather=0.02)
    thread = np.clip(colour(base) * 1.25, 0, 1)
    hem = top.hem_curve()
    for d in (22, 28):
        top.body.stitch(beside(hem, -d), thread, 4, 2.4, 1.3, 0.6, 0.6)
    top.body.groove(beside(hem, -31), 0.8, 2.5, 0.08, 1.6)
    for side in (-1, 1):
        hole = top.armhole(side)
        inner = beside(hole, side * 15)
        band = p.layer(join(hole, inner[::-1]), trim or base, thick=2, edge=5, shadow=0.25, rough=0.3)
        fabrics.jersey(band, p.x, p.y)
        band.stitch(beside(hole, side * 11), thread, 4, 2.4, 1.2, 0.5, 0.55)
        band.height += 0.4 * p.noise(9, 1)
        top.body.groove(inner, 0.8, 3, 0.12, 1.8)
    back_low = beside(top.back_curve, 13)
    back = p.layer(join(top.back_curve, back_low[::-1]), trim or base, thick=2, edge=4, inside=0.7, shadow=0.35)
    back.dome = 0.2
    p.layers.remove(back)
    p.layers.insert(1, back)
    front, outer = top.neck_curve(), top.neck_curve(15)
    band = p.layer(join(front, outer[::-1]), trim or base, thick=2, edge=5, shadow=0.25, rough=0.3)
    fabrics.jersey(band, p.x, p.y)
    band.stitch(beside(front, 11), thread, 4, 2.4, 1.2, 0.5, 0.55)
    top.body.groove(outer, 0.8, 3, 0.12, 1.8)
    top.label(label, y=cut.top + cut.back_depth + 16)
    return top


def dress(cut, base, sleeves, finish=None, waist_seam=True, folds=9, tall=9.0, strength=0.8, label="VITRINE", sheen=0.0):
    """A dress with a faced neck; `waist_seam` gathers the skirt."""
    top = Top(cut, base, sleeves=sleeves, sheen=sheen)
    p, c = top.piece, cut
    top.drape(strength)
    top.hang(c.waist[1] + 10, c.hem[1], c.waist[0], c.hem[0], folds, tall)
    if waist_seam:
        seam = top.across((0, c.waist[1] + 8), (c.waist[0] * 0.6, c.waist[1] + 5), (c.waist[0] + 2, c.waist[1]))
        for k in range(34):
            t = -0.96 + 1.92 * k / 33 + p.rng.normal(0, 0.012)
            x, y = t * c.waist[0], c.waist[1] + 7
            reach = p.rng.uniform(30, 120)
            top.body.fold([top.at(1, x, y), top.at(1, x * 1.04, y + reach * 0.5), top.at(1, x * 1.1, y + reach)], p.rng.uniform(3.5, 6), p.rng.uniform(1.2, 2.8), "start", 0.1)
    fabrics.jersey(top.inner, p.x, p.y)
    fabrics.jersey(top.body, p.x, p.y, 0.6)
    top.body.uv = fabrics.bent(top.body, p.x, p.y, 6)
    for arm in top.arms:
        along, across, _ = p.along(arm.axis, 400)
        arm.uv = fabrics.bent(arm, across, along, 6)
        fabrics.jersey(arm, across, along, 0.6)
    if finish:
        finish(top)
    top.seams(1.3)
    if waist_seam:
        top.body.groove(seam, 2.4, 3.5, 0.25, 1.2)
    hem = top.hem_curve()
    top.body.groove(beside(hem, -26), 0.7, 2.2, 0.08, 1.2)
    thread = np.clip(colour(base) * 1.2, 0, 1)
    for arm in top.arms:
        arm.groove(beside(arm.cuff, arm.side * 18), 0.8, 2.2, 0.1, 1.4)
    front, outer = top.neck_curve(), top.neck_curve(12)
    top.body.groove(outer, 1.0, 2.4, 0.14, 0.8)
    top.body.height += 1.2 * blur(p.stroke(front, 8), 2.5)
    if not sleeves:
        for side in (-1, 1):
            hole = top.armhole(side)
            top.body.groove(beside(hole, side * 11), 1.0, 2.4, 0.14, 0.8)
            top.body.height += 1.2 * blur(p.stroke(hole, 8), 2.5)
    top.label(label, y=c.top + c.back_depth + 8)
    return top


def floral(top):
    p = top.piece
    tile = fabrics.flower_tile(p.rng)
    fabrics.printed(top.inner, tile, p.x + 90, p.y + 40, 0.5)
    fabrics.printed(top.body, tile, *top.body.uv)
    for arm in top.arms:
        u, v = arm.uv
        fabrics.printed(arm, tile, u * arm.side + 777, v + 333)


DRESS = dict(width=860, height=1260, neck=84, top=52, shoulder=(192, 100), armpit=(206, 262), sides=[(190, 350)],
             waist=(168, 470), flare=[(212, 640), (268, 900)], hem=(322, 1196), hem_bow=12, hem_wave=5, neck_depth=104, sleeve=176,
             sleeve_angle=44, cuff=128, cuff_slant=4)
TANK = dict(width=760, height=980, neck=104, shoulder=(168, 84), armpit=(236, 332), waist=(232, 620), hem=(250, 906),
            neck_depth=176, back_depth=58, armhole_cut=[(160, 160), (174, 250), (204, 306)])


def text_print(lines, ink, y, sizes, spacing=6, weight=2):
    """Centred lines of lettering."""
    def finish(top):
        def painter(d, s):
            at = y
            for text, size in zip(lines, sizes):
                fabrics.spaced(d, (top.cx * s, at * s), text, size * s, ink, spacing * s * size / 60, weight=int(weight * s * size / 60))
                at += size * 1.12
        fabrics.screen_print(top.body, fabrics.graphic(top.piece, painter))
    return finish


def chest_pocket(top):
    """A small patch pocket on the wearer's left."""
    p = top.piece
    corners = [(66, 292), (168, 292), (169, 394), (117, 412), (65, 394)]
    outline = join(*[top.at(1, *q) for q in corners])
    layer = p.layer(outline, top.base, thick=2.5, edge=2.5, shadow=0.3, rough=0.5)
    layer.height += top.body.height
    fabrics.jersey(layer, p.x, p.y)
    thread = np.clip(colour(top.base) * 1.05, 0, 1)
    middle = outline.mean(0)
    row = middle + (outline - middle) * 0.93
    layer.stitch(resample(np.concatenate([row[1:], row[:1]]), 1), thread, 4, 2.4, 1.3)
    layer.stitch(smooth(top.at(1, 67, 308), top.at(1, 167, 308)), thread, 4, 2.4, 1.3)


def ringer(top):
    """Three stripes across the chest."""
    p = top.piece
    u, v = fabrics.bent(top.body, p.x, p.y - 6 * (1 - ((p.x - top.cx) / top.cut.hem[0]) ** 2), 5)
    for start, tone in ((330, "#d9a441"), (372, "#c8552f"), (414, "#f0e6d0")):
        fabrics.stripes(top.body, v, tone, 5000, 34, start=start)


KNIT = dict(width=1100, height=860, neck=94, shoulder=(246, 128), armpit=(268, 334), waist=(258, 560), hem=(238, 806), hem_bow=8, neck_depth=84,
            sleeve=640, sleeve_angle=69, cuff=86, cuff_slant=-4)
SHIFT = dict(width=800, height=1180, neck=92, top=52, shoulder=(178, 84), armpit=(214, 272), sides=[(203, 350)], waist=(192, 470),
             flare=[(226, 640), (240, 800)], hem=(236, 1124), hem_bow=8, neck_depth=112, armhole_cut=[(170, 150), (180, 222), (198, 258)])


def hoodie(cut, base, label="VITRINE", cord="#e8e4da"):
    """A hooded sweatshirt with a pouch pocket; the hood lies back behind the neck."""
    top = Top(cut, base)
    p, c = top.piece, cut
    top.drape(1.0)
    calm = top.body.height.copy()
    fabrics.jersey(top.inner, p.x, p.y)
    fabrics.jersey(top.body, p.x, p.y, heather=0.035)
    for arm in top.arms:
        along, across, _ = p.along(arm.axis, 700)
        fabrics.jersey(arm, across, along, heather=0.035)
    top.seams()
    thread = np.clip(top.body.albedo.mean((0, 1)) * 1.15, 0, 1)
    rib = (6.0, 0.9, 0.25)
    for arm in top.arms:
        inward = beside(arm.cuff, arm.side * 56)
        band = p.layer(join(arm.cuff, inward[::-1]), base, thick=2, edge=6, shadow=0.25)
        band.ribs(beside(arm.cuff, arm.side * 28), 56, *rib)
        arm.groove(inward, 2.4, 4, 0.2, 2.6)
    hem = top.hem_curve()
    high = beside(hem, -58)
    band = p.layer(join(hem, high[::-1]), base, thick=2, edge=7, shadow=0.25)
    band.ribs(beside(hem, -29), 58, *rib)
    top.body.groove(high, 2.6, 5, 0.2, 2.8)
    y = c.hem[1] - 58
    half = [(0, y - 190), (112, y - 190), (122, y - 184), (176, y - 62), (178, y + 3), (0, y + 6)]
    right = [top.at(1, *q) for q in half]
    left = [top.at(-1, *q) for q in half[::-1]]
    pouch = p.layer(join(*right, *left), base, thick=4, edge=4, shadow=0.4, rough=0.6)
    pouch.height += calm + 2.5 * p.noise(80, 2)
    fabrics.jersey(pouch, p.x, p.y, heather=0.035)
    for side in (-1, 1):
        mouth = top.way(side, (118, y - 188), (176, y - 60))
        for d in (8, 14):
            pouch.stitch(beside(mouth, side * d), thread, 4, 2.4, 1.3)
        pouch.fold([top.at(side, 170, y - 60), top.at(side, 110, y - 70), top.at(side, 50, y - 40)], 14, 5, "start", 0.2)
    pouch.stitch(top.across((0, y - 184), (60, y - 184), (112, y - 184)), thread, 4, 2.4, 1.3)
    hood(top, cord)
    top.label(label, y=c.top + 30)
    return top


def hood(top, cord):
    """The hood: its back edge rises behind the neck, its front edges cross below the throat."""
    p, c = top.piece, top.cut
    n, t, d = c.neck, c.top, c.neck_depth
    for side in (-1, 1):
        outer = top.way(side, (n - 34, t - 38), (n + 30, t - 28), (n + 58, t + 30), (n + 34, t + 92), (n * 0.5, t + d + 30), (-3, t + d + 44))
        inner = top.way(side, (-3, t + d + 8), (n * 0.42, t + d - 14), (n * 0.82, t + d * 0.45), (n - 16, t + 4), (n - 26, t - 22), (n - 34, t - 38))
        half = p.layer(join(outer, inner), top.base, thick=9, edge=9, shadow=0.5)
        half.dome = 0.6
        fabrics.jersey(half, p.x, p.y, heather=0.035)
        half.height += 4 * p.noise(60, 2)
        for k in range(4):
            a = 0.15 + 0.22 * k
            first, last = outer[int(a * (len(outer) - 1))], inner[int((1 - a) * (len(inner) - 1))]
            middle = 0.5 * (first + last) + p.rng.normal(0, 6, 2)
            half.fold([first, middle, last], 16, p.rng.uniform(2, 4), "both", 0.3)
        thread = np.clip(colour(top.base) * 1.2, 0, 1)
        half.stitch(beside(inner, side * 13), thread, 4, 2.4, 1.3)
        half.groove(beside(inner, side * 16), 1.0, 3, 0.15, 1.6)
    back = top.across((0, t - 34), (n * 0.5, t - 38), (n - 26, t - 38))
    low = top.across((0, t + 30), (n * 0.5, t + 26), (n - 10, t + 20))
    rim = p.layer(join(back, low[::-1]), top.base, thick=4, edge=12, shadow=0.5, inside=0.82)
    fabrics.jersey(rim, p.x, p.y, heather=0.035)
    rim.dome = 0.3
    p.layers.remove(rim)
    p.layers.insert(1, rim)
    for side in (-1, 1):
        line = top.way(side, (26, t + d + 18), (36, t + d + 90), (30, t + d + 170), (34 + 6 * side, t + d + 232))
        string = p.layer(join(beside(line, -3.6), beside(line, 3.6)[::-1]), cord, thick=4, edge=3.6, shadow=0.5, rough=0.4)
        u, v, _ = p.along(line, 6)
        string.height += 0.7 * np.cos(2 * np.pi * (u + v) / 5)
        string.tint(0.85 + 0.15 * np.cos(2 * np.pi * (u + v) / 5))
        from bottoms import button
        ring = button(p, line[0], 7, "#b9b6ae", metal=True)
        end = part(line, 0.93, 1.0)
        tip = p.layer(join(beside(end, -4.4), beside(end, 4.4)[::-1]), "#b9b6ae", thick=4, edge=4, shadow=0.5, rough=0, sheen=0.2)


HOODIE = dict(width=1120, height=1000, neck=96, top=96, shoulder=(250, 160), armpit=(272, 370), waist=(266, 640), hem=(240, 922), hem_bow=8,
              neck_depth=78, sleeve=650, sleeve_angle=69, cuff=92, cuff_slant=-4)
