"""What all garments for the upper body share: pattern, folds, seams, neck."""

from dataclasses import dataclass, field

import numpy as np

import fabrics
from cloth import Pattern, Piece, beside, join, ramp


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
        return self.across(
            (0, top + depth + wider),
            (half * 0.48, top + depth * 0.88 + wider * 0.94),
            (half * 0.86, top + depth * 0.5 + wider * 0.75),
            (half, top + fall),
        )

    def shoulder_curve(self, side):
        c = self.cut
        sx, sy = c.shoulder
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
            curve = self.across(
                (0, hy + bow),
                (hx * 0.4, hy + bow * 0.97),
                (hx * 0.72, hy + bow * 0.66),
                (hx * 0.92, hy + bow * 0.18),
                c.hem,
            )
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
        low = self.across(
            (0, c.top + c.neck_depth + 30), (c.neck * 0.7, c.top + c.neck_depth), (c.neck + 14, c.top + 14)
        )
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
        upper = [
            tuple(s + (0, -1)),
            tuple(s + 0.13 * (cuff_out - s) - cap * out),
            tuple(s + 0.3 * (cuff_out - s) - (cap + 2) * out),
            tuple(s + 0.65 * (cuff_out - s) - 3 * out),
            tuple(cuff_out),
        ]
        lower = [tuple(arm + (-2, 0)), tuple(arm + 0.5 * (cuff_in - arm) - 3 * out), tuple(cuff_in)]
        if c.sleeve > 330:
            # The sleeve goes on from the slope of the shoulder in one round line.
            n, top = c.neck, c.top
            on_slope = lambda t, below: (
                n + t * (s[0] - n),
                top + (t - 0.05 * np.sin(np.pi * t)) * (s[1] - top) + below,
            )
            before, near = on_slope(0.62, 3), on_slope(0.84, 0)
            start = (before[0] - 4, before[1] + 24)
            upper = [before, near, tuple(s + (1, 1)), tuple(s + 0.07 * (cuff_out - s) - 8 * out), *upper[1:]]
        upper, lower = self.way(side, *upper), self.way(side, *lower)
        bow = 0.5 * (cuff_out + cuff_in) + 5 * down
        cuff = self.way(side, tuple(cuff_out), tuple(bow), tuple(cuff_in))
        into = self.way(side, tuple(arm + (-2, 0)), tuple(arm + (-40, -60)), tuple(s + (-46, 40)), start)
        layer = p.layer(join(upper, cuff, lower[::-1], into), self.base, thick=3, edge=1.5, shadow=0.2, **self.options)
        layer.side, layer.upper, layer.lower, layer.cuff = side, upper, lower, cuff
        mid_top = 0.5 * (s + arm)
        layer.axis = self.way(
            side, tuple(mid_top - 60 * down), tuple(mid_top), tuple(0.5 * (cuff_out + cuff_in) + 40 * down)
        )
        return layer

    # Folds

    def drape(self, strength=1.0):
        """Folds of a top that hangs from its shoulders."""
        p, c = self.piece, self.cut
        rng, body = p.rng, self.body
        strength = 1.9 * strength
        long = c.hem[1] - c.armpit[1]
        body.height += strength * 1.5 * p.noise(170, 2) + strength * 2.4 * p.creases(230) * ramp(
            p.y, c.armpit[1] - 40, c.armpit[1] + 120
        )
        for side in (-1, 1):
            # Broad folds that cross the body from one armpit towards the other hip.
            ax, ay = c.armpit
            for k in range(3):
                x0, y0 = ax * rng.uniform(0.72, 0.98), ay + rng.uniform(20, 90)
                x1, y1 = ax * rng.uniform(-0.35, 0.25), ay + long * rng.uniform(0.4, 0.8)
                bow = rng.uniform(-30, 30)
                body.fold(
                    [
                        self.at(side, x0, y0),
                        self.at(side, 0.5 * (x0 + x1) + bow, 0.5 * (y0 + y1) + 0.6 * abs(bow)),
                        self.at(side, x1, y1),
                    ],
                    rng.uniform(13, 26),
                    strength * rng.uniform(1.4, 3.0),
                    rng.choice(["start", "both"]),
                    side * rng.uniform(-0.4, 0.4),
                )
            for k in range(5):
                angle = np.radians(rng.uniform(100, 165) if k < 3 else rng.uniform(165, 200))
                reach = rng.uniform(90, 210)
                start = np.array([ax - 6, ay + rng.uniform(-26, 10)])
                end = start + reach * np.array([np.cos(angle), np.sin(angle)])
                mid = 0.5 * (start + end) + rng.normal(0, 9, 2)
                body.fold(
                    [self.at(side, *start), self.at(side, *mid), self.at(side, *end)],
                    rng.uniform(9, 15),
                    strength * rng.uniform(2.0, 4.2),
                    "start",
                    side * 0.3,
                )
            sx, sy = c.shoulder
            for k in range(2):
                x = rng.uniform(0.62, 0.95) * sx
                body.fold(
                    [
                        self.at(side, x, sy + 30),
                        self.at(side, x + rng.uniform(-10, 12), sy + 110),
                        self.at(side, x - rng.uniform(0, 30), ay + 20),
                    ],
                    rng.uniform(14, 20),
                    strength * rng.uniform(1.5, 2.6),
                    "both",
                    side * 0.3,
                )
            for k in range(6):
                y = ay + long * (0.15 + 0.68 * (k + rng.random()) / 6)
                inward, drop = rng.uniform(90, 210), rng.uniform(20, 110)
                outline = [c.armpit, *c.sides, c.waist, *c.flare, c.hem]
                edge = np.interp(y, [q[1] for q in outline], [q[0] for q in outline])
                body.fold(
                    [
                        self.at(side, edge + 4, y),
                        self.at(side, edge - inward * 0.5, y + drop * 0.35),
                        self.at(side, edge - inward, y + drop),
                    ],
                    rng.uniform(10, 17),
                    strength * rng.uniform(1.4, 3.2),
                    "start",
                    side * 0.3,
                )
        for k in range(6):
            x = rng.uniform(-0.85, 0.85) * c.hem[0]
            y = c.hem[1] - rng.uniform(150, 0.5 * long)
            body.fold(
                [self.at(1, x * 0.92, y), self.at(1, x, 0.5 * (y + c.hem[1])), self.at(1, x * 1.02, c.hem[1] + 20)],
                rng.uniform(18, 32),
                strength * rng.uniform(1.8, 3.6),
                "open",
                rng.uniform(-0.4, 0.4),
            )
        for arm in self.arms:
            arm.height += strength * 1.6 * p.noise(70, 2)
            self.drape_sleeve(arm, strength)

    def drape_sleeve(self, arm, strength):
        rng = self.piece.rng
        s, cuff_out, cuff_in, pit, down, out = self.sleeve_points()
        length = np.linalg.norm(cuff_out - s)
        if length < 330:
            for k in range(4):
                start = pit + (4, -6) + rng.normal(0, 6, 2)
                end = s + down * length * rng.uniform(0.25, 0.95) + out * rng.uniform(10, 60)
                arm.fold(
                    [
                        self.at(arm.side, *start),
                        self.at(arm.side, *(0.5 * (start + end) + rng.normal(0, 6, 2))),
                        self.at(arm.side, *end),
                    ],
                    rng.uniform(9, 14),
                    strength * rng.uniform(1.8, 3.2),
                    "start",
                    0.3 * arm.side,
                )
            return
        for k in range(22):
            t = np.clip(rng.choice([rng.uniform(0.05, 0.3), rng.normal(0.5, 0.1), rng.uniform(0.6, 0.97)]), 0.03, 0.97)
            from_inner = rng.random() < 0.62
            inner = pit + (cuff_in - pit) * np.clip((t * length - 150) / (length - 150), 0, 1)
            outer = s + (cuff_out - s) * t
            a, b = (inner, outer) if from_inner else (outer, inner)
            b = a + (b - a) * rng.uniform(0.5, 0.95) + down * rng.uniform(-70, 55)
            mid = 0.5 * (a + b) + down * rng.uniform(2, 16)
            arm.fold(
                [self.at(arm.side, *a), self.at(arm.side, *mid), self.at(arm.side, *b)],
                rng.uniform(7, 13),
                strength * rng.uniform(1.5, 3.4),
                "start",
                rng.uniform(-0.3, 0.3),
            )

    def hang(self, start, end, from_half, to_half, count, tall, inset=0.95):
        """Long folds that open towards the hem."""
        rng = self.piece.rng
        for k in range(count):
            t = -inset + 2 * inset * (k + 0.5 + rng.uniform(-0.3, 0.3)) / count
            y0 = start + rng.uniform(0, 0.35) * (end - start) * (rng.random() < 0.5)
            along = (y0 - start) / (end - start)
            x0 = t * (from_half + along * (to_half - from_half))
            points = [
                self.at(1, x0, y0),
                self.at(1, 0.5 * (x0 + t * to_half) + rng.normal(0, 5), 0.5 * (y0 + end)),
                self.at(1, t * to_half * 1.01, end + 24),
            ]
            self.body.fold(
                points,
                0.42 * 2 * to_half / count * rng.uniform(0.75, 1.15),
                tall * rng.uniform(0.6, 1.2),
                "open",
                rng.uniform(-0.45, 0.45),
            )

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
        p = self.piece
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
        fabrics.screen_print(
            layer,
            fabrics.graphic(p, lambda d, s: fabrics.spaced(d, (x0 * s, (y0 + h / 2) * s), text, 11 * s, ink, 1.2 * s)),
            wear=0,
        )
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
            found["sleeve_cuffs"] = [
                [self.at(s, *cuff_out).round(1).tolist(), self.at(s, *cuff_in).round(1).tolist()] for s in (-1, 1)
            ]
        return found
