"""Dresses."""

import fabrics
from cloth import beside, blur
from upper import Top


def dress(
    cut, base, sleeves, finish=None, waist_seam=True, folds=9, tall=9.0, strength=0.8, label="VITRINE", sheen=0.0
):
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
            top.body.fold(
                [top.at(1, x, y), top.at(1, x * 1.04, y + reach * 0.5), top.at(1, x * 1.1, y + reach)],
                p.rng.uniform(3.5, 6),
                p.rng.uniform(1.2, 2.8),
                "start",
                0.1,
            )
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


DRESS = dict(
    width=860,
    height=1260,
    neck=84,
    top=52,
    shoulder=(192, 100),
    armpit=(206, 262),
    sides=[(190, 350)],
    waist=(168, 470),
    flare=[(212, 640), (268, 900)],
    hem=(322, 1196),
    hem_bow=12,
    hem_wave=5,
    neck_depth=104,
    sleeve=176,
    sleeve_angle=44,
    cuff=128,
    cuff_slant=4,
)


SHIFT = dict(
    width=800,
    height=1180,
    neck=92,
    top=52,
    shoulder=(178, 84),
    armpit=(214, 272),
    sides=[(203, 350)],
    waist=(192, 470),
    flare=[(226, 640), (240, 800)],
    hem=(236, 1124),
    hem_bow=8,
    neck_depth=112,
    armhole_cut=[(170, 150), (180, 222), (198, 258)],
)
