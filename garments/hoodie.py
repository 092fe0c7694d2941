"""A hooded sweatshirt."""

import numpy as np

import fabrics
from cloth import beside, colour, join, part
from fittings import button
from upper import Top


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
        pouch.fold(
            [top.at(side, 170, y - 60), top.at(side, 110, y - 70), top.at(side, 50, y - 40)], 14, 5, "start", 0.2
        )
    pouch.stitch(top.across((0, y - 184), (60, y - 184), (112, y - 184)), thread, 4, 2.4, 1.3)
    hood(top, cord)
    top.label(label, y=c.top + 30)
    return top


def hood(top, cord):
    """The hood: its back edge rises behind the neck, its front edges cross below the throat."""
    p, c = top.piece, top.cut
    n, t, d = c.neck, c.top, c.neck_depth
    for side in (-1, 1):
        outer = top.way(
            side,
            (n - 34, t - 38),
            (n + 30, t - 28),
            (n + 58, t + 30),
            (n + 34, t + 92),
            (n * 0.5, t + d + 30),
            (-3, t + d + 44),
        )
        inner = top.way(
            side,
            (-3, t + d + 8),
            (n * 0.42, t + d - 14),
            (n * 0.82, t + d * 0.45),
            (n - 16, t + 4),
            (n - 26, t - 22),
            (n - 34, t - 38),
        )
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
        string = p.layer(
            join(beside(line, -3.6), beside(line, 3.6)[::-1]), cord, thick=4, edge=3.6, shadow=0.5, rough=0.4
        )
        u, v, _ = p.along(line, 6)
        string.height += 0.7 * np.cos(2 * np.pi * (u + v) / 5)
        string.tint(0.85 + 0.15 * np.cos(2 * np.pi * (u + v) / 5))
        button(p, line[0], 7, "#b9b6ae", metal=True)
        end = part(line, 0.93, 1.0)
        p.layer(
            join(beside(end, -4.4), beside(end, 4.4)[::-1]), "#b9b6ae", thick=4, edge=4, shadow=0.5, rough=0, sheen=0.2
        )


HOODIE = dict(
    width=1120,
    height=1000,
    neck=96,
    top=96,
    shoulder=(250, 160),
    armpit=(272, 370),
    waist=(266, 640),
    hem=(240, 922),
    hem_bow=8,
    neck_depth=78,
    sleeve=650,
    sleeve_angle=69,
    cuff=92,
    cuff_slant=-4,
)
