"""Eyeglasses."""

import cv2
import numpy as np

from cloth import Pattern, Piece, beside, blur, join, ramp, smooth


class Glasses(Pattern):
    """A frame seen from the front with its temples folded behind it."""

    def __init__(
        self,
        lens,
        seed=1,
        base="#1a1716",
        rim=20.0,
        tint=None,
        tint_alpha=(0.10, 0.10),
        tortoise=False,
        metal=False,
        bridge=(82, 150, 24),
        scale=1.0,
    ):
        p = self.piece = Piece(1040, 430, seed, sway=1.2)
        p.dome_width, p.dome_height, p.edge_dark = 10, 0.0, 0.0
        self.lens = lens
        sheen = 0.9 if metal else 0.18
        outer_edges, inner_edges = {}, {}
        for side in (-1, 1):
            inner_edges[side] = self.loop(side, lens, 0)
            outer_edges[side] = self.loop(side, lens, rim)
        for side in (-1, 1):
            # Folded temple: a sliver behind the lens.
            pane = p.layer(self.loop(side, lens, 4), tint or "#dfe8ea", thick=1, edge=0.5, shadow=0, rough=0)
            top, low = min(y for _, y in lens), max(y for _, y in lens)
            depth = ramp(p.y, top, low)
            glare = np.exp(-((((p.x - self.cx - side * 235) * 0.8 + (p.y - 200) * 0.6 + 70) / 26) ** 2)) + 0.6 * np.exp(
                -((((p.x - self.cx - side * 235) * 0.8 + (p.y - 200) * 0.6 + 10) / 10) ** 2)
            )
            pane.opacity = np.clip(
                tint_alpha[0] + (tint_alpha[1] - tint_alpha[0]) * depth + (0.16 if tint is None else 0.05) * glare, 0, 1
            ).astype(np.float32)
            if tint is None:
                pane.paint(np.ones_like(p.x), "#f4f8fa", 0.8)
            else:
                pane.paint(np.clip(1.0 * glare, 0, 1), "#cfd6da", 0.22)
        x, y, thick = bridge
        arch = smooth(
            self.at(-1, x, y + 24),
            self.at(-1, 0.55 * x, y + 2),
            self.at(1, 0, y - 7),
            self.at(1, 0.55 * x, y + 2),
            self.at(1, x, y + 24),
        )
        parts = [join(beside(arch, -thick / 2), beside(arch, thick / 2)[::-1])]
        self.bridge_y = y - 8
        outer_x = max(q for q, _ in lens) + rim
        for side in (-1, 1):
            hinge = [
                (outer_x - 34, 118),
                (outer_x + 4, 108),
                (outer_x + 26, 110),
                (outer_x + 28, 146),
                (outer_x + 4, 156),
                (outer_x - 26, 166),
            ]
            parts.append(
                join(smooth(*[self.at(side, *q) for q in hinge[:3]]), smooth(*[self.at(side, *q) for q in hinge[3:]]))
            )
        self.end_x = outer_x + 28
        frame = p.layer(outer_edges[1], base, thick=0.5, edge=0.6, shadow=0, rough=0, sheen=sheen)
        shape = np.maximum(p.fill(outer_edges[-1]), p.fill(outer_edges[1]))
        for extra in parts:
            shape = np.maximum(shape, p.fill(extra))
        holes = np.maximum(p.fill(inner_edges[-1]), p.fill(inner_edges[1]))
        frame.mask = (shape * (1 - holes)).astype(np.float32)
        frame.dome = 0
        self.round_off(frame, rim * 0.42)
        if tortoise:
            blot = ramp(p.noise(46, 3) + 0.35 * p.noise(14, 2), -0.2, 0.9)
            frame.paint(blot, "#1d0f08", 0.92)
            frame.paint(ramp(p.noise(60, 2), 0.6, 1.6), "#c98a3a", 0.5)
        frame.tint(1 + 0.05 * p.noise(30, 2))
        # A soft box above: a light line along the upper inside of every tube of the frame.
        depth = blur((frame.mask > 0.5).astype(np.float32), rim * 0.22)
        gy = np.gradient(depth, axis=0)
        frame.paint(np.clip(ramp(gy * rim, 0.35, 1.1), 0, 1) * 0.22, "#f4f6f8")
        frame.paint(np.clip(ramp(-gy * rim, 0.4, 1.1), 0, 1) * 0.10, "#9db0c4")
        for side in (-1, 1):
            for dy in (-7, 7):
                pin = self.at(side, outer_x + 4, 132 + dy)
                d = np.hypot(p.x - pin[0], p.y - pin[1])
                frame.paint(np.exp(-((d / 3.2) ** 2)), "#c8c4bc", 0.8)

    def round_off(self, frame, radius):
        """Gives the frame the round edges of polished acetate."""
        p = self.piece
        big = cv2.resize(frame.mask, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        far = cv2.distanceTransform((big > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / 4
        t = np.clip(1 - far / radius, 0, 1)
        tall = 0.55 * radius * np.sqrt(1 - t * t + 1e-4)
        frame.height += cv2.GaussianBlur(cv2.resize(tall, (p.w, p.h), interpolation=cv2.INTER_AREA), (0, 0), 1.1)

    def loop(self, side, lens, grow):
        ring = np.array([self.at(side, *q) for q in lens])
        closed = smooth(*np.concatenate([ring[-3:], ring, ring[:3]]))
        # Keep one turn of the overlapping curve.
        start = ((closed - ring[0]) ** 2).sum(1)
        first = int(np.argmin(start[: len(closed) // 2]))
        last = len(closed) // 2 + int(np.argmin(start[len(closed) // 2 :]))
        turn = closed[first:last]
        if grow == 0:
            return turn
        area = 0.5 * np.sum(turn[:, 0] * np.roll(turn[:, 1], -1) - np.roll(turn[:, 0], -1) * turn[:, 1])
        return beside(turn, -grow if area > 0 else grow)

    def points(self):
        mid = 0.5 * (min(y for _, y in self.lens) + max(y for _, y in self.lens))
        return {"ends": self.pair((self.end_x, mid)), "bridge": self.at(1, 0, self.bridge_y).round(1).tolist()}


def round_lens(cx=245, cy=205, rx=158, ry=152):
    t = np.linspace(0, 2 * np.pi, 17)[:-1]
    return [(cx + rx * np.cos(a), cy + ry * np.sin(a) * (1.0 if np.sin(a) > 0 else 0.98)) for a in t]


def wayfarer_lens():
    return [
        (90, 130),
        (150, 84),
        (250, 74),
        (350, 78),
        (412, 98),
        (420, 150),
        (402, 240),
        (350, 312),
        (260, 338),
        (170, 318),
        (112, 250),
        (88, 180),
    ]
