"""T-shirts, pullovers, tank tops."""

import numpy as np

import fabrics
from cloth import beside, colour, join, resample, smooth
from upper import Top

LONG = dict(
    width=1080,
    height=980,
    shoulder=(236, 124),
    armpit=(252, 318),
    waist=(238, 600),
    hem=(248, 906),
    sleeve=640,
    sleeve_angle=70,
    cuff=84,
    cuff_slant=-4,
)


KNIT = dict(
    width=1100,
    height=860,
    neck=94,
    shoulder=(246, 128),
    armpit=(268, 334),
    waist=(258, 560),
    hem=(238, 806),
    hem_bow=8,
    neck_depth=84,
    sleeve=640,
    sleeve_angle=69,
    cuff=86,
    cuff_slant=-4,
)


TANK = dict(
    width=760,
    height=980,
    neck=104,
    shoulder=(168, 84),
    armpit=(236, 332),
    waist=(232, 620),
    hem=(250, 906),
    neck_depth=176,
    back_depth=58,
    armhole_cut=[(160, 160), (174, 250), (204, 306)],
)


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


def sweatshirt(
    cut,
    base,
    strength=1.0,
    cuff_width=0,
    fabric=None,
    finish=None,
    collar=None,
    label="VITRINE",
    sheen=0.0,
    rib=(5.5, 0.7, 0.25),
    collar_width=24,
):
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
        for cap in (
            [(-92, 20), (-110, 44), (-96, 40), (-88, 50), (-78, 36)],
            [(-8, -34), (-32, 4), (-16, -4), (-4, 14), (8, -2), (16, 4)],
        ):
            d.polygon([((cx + x) * s, (y + yy) * s) for x, yy in cap], fill=cream)
        d.rectangle([(cx - 160) * s, (y + 90) * s, (cx + 160) * s, (y + 120) * s], fill=(0, 0, 0, 0))
        fabrics.spaced(d, (cx * s, (y + 150) * s), "NORTHBOUND", 46 * s, cream, 5 * s, weight=2 * s)
        fabrics.spaced(d, (cx * s, (y + 192) * s), "MOUNTAIN  CLUB  1974", 20 * s, cream, 4 * s)

    fabrics.screen_print(top.body, fabrics.graphic(p, painter))


def text_print(lines, ink, y, sizes, spacing=6, weight=2):
    """Centred lines of lettering."""

    def finish(top):
        def painter(d, s):
            at = y
            for text, size in zip(lines, sizes):
                fabrics.spaced(
                    d,
                    (top.cx * s, at * s),
                    text,
                    size * s,
                    ink,
                    spacing * s * size / 60,
                    weight=int(weight * s * size / 60),
                )
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


def breton(top):
    fabrics.stripes(top.body, top.body.uv[1], "#1d2a47", 34, 15, start=232)
    for arm in top.arms:
        fabrics.stripes(arm, arm.uv[1], "#1d2a47", 34, 15, start=90)
