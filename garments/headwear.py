"""Hats."""

import numpy as np

import fabrics
from cloth import Pattern, Piece, beside, blur, colour, join, ramp, smooth
from fittings import button


def felt(layer, amount=1.0):
    p = layer.piece
    layer.height += amount * (0.13 * p.grain(0.8) + 0.14 * p.noise(8, 2))
    layer.tint(1 + amount * (0.05 * p.grain(0.7) + 0.05 * p.noise(5, 2) + 0.03 * p.noise(60, 2)))


class Fedora(Pattern):
    def __init__(self, seed=1, base="#7d6248", ribbon="#2a211c"):
        p = self.piece = Piece(1040, 640, seed, sway=3)
        p.dome_width, p.dome_height, p.edge_dark = 30, 7, 0.2
        under = p.layer(
            join(
                self.across((0, 478), (200, 470), (360, 452), (440, 432)),
                self.across((0, 446), (230, 440), (380, 434), (440, 430))[::-1],
            ),
            base,
            thick=1,
            edge=1,
            inside=0.4,
            shadow=0,
        )
        under.dome = 0.3
        felt(under)
        edge = self.across((0, 574), (170, 562), (320, 520), (414, 462), (446, 428), (449, 416))
        rear = self.across((0, 440), (250, 436), (370, 424), (430, 410), (449, 416))
        brim = p.layer(join(edge, rear[::-1]), base, thick=3, edge=4, shadow=0.3)
        # The brim dips in front and its sides turn up.
        brim.height += (
            26 * np.exp(-(((p.x - self.cx) / 250) ** 2)) * ramp(p.y, 440, 566)
            - 0.00022 * (np.abs(p.x - self.cx) - 330) ** 2
        )
        brim.height += 2.5 * p.noise(150, 1)
        felt(brim)
        brim.stitch(beside(edge, -9), np.clip(colour(base) * 0.7, 0, 1), opacity=0.7)
        crown_edge = [
            self.at(-1, 246, 462),
            self.at(-1, 243, 380),
            self.at(-1, 228, 250),
            self.at(-1, 196, 140),
            self.at(-1, 140, 84),
            self.at(-1, 72, 70),
            self.at(1, 0, 84),
            self.at(1, 72, 68),
            self.at(1, 140, 82),
            self.at(1, 196, 138),
            self.at(1, 228, 250),
            self.at(1, 243, 380),
            self.at(1, 246, 462),
        ]
        foot = self.across((0, 508), (130, 500), (210, 482), (246, 462))
        crown = p.layer(join(smooth(*crown_edge), foot[::-1]), base, thick=8, edge=2, shadow=0.55)
        x = (p.x - self.cx) / 246
        crown.height += 90 * np.sqrt(np.clip(1 - (x * 0.94) ** 2, 0.02, 1)) - 26 * ramp(-p.y, -190, -60)
        for side in (-1, 1):
            # The pinch: a hollow on either side of the ridge that runs down the front.
            dent = np.exp(-(((p.x - self.cx - side * (86 + 0.10 * (p.y - 150))) / 52) ** 2) - (((p.y - 205) / 92) ** 2))
            crown.height -= 30 * dent
        crown.height += 12 * np.exp(-(((p.x - self.cx) / 20) ** 2)) * np.exp(-(((p.y - 150) / 100) ** 2))
        crown.height -= 10 * np.exp(-(((p.x - self.cx) / 34) ** 2) - (((p.y - 78) / 22) ** 2))
        crown.height += 3.5 * p.noise(110, 2)
        felt(crown)
        top = self.across((0, 430), (130, 424), (205, 408), (245, 392))
        band = p.layer(
            join(top, self.across((0, 510), (130, 502), (212, 484), (248, 464))[::-1]),
            ribbon,
            thick=3,
            edge=2.5,
            shadow=0.4,
            sheen=0.05,
        )
        band.height += (
            90 * np.sqrt(np.clip(1 - (x * 0.94) ** 2, 0.02, 1))
            + 0.25 * np.cos(2 * np.pi * p.x / 3.2)
            + 1.2 * p.noise(50, 1)
        )
        band.tint(1 + 0.10 * np.cos(2 * np.pi * p.x / 3.2) + 0.06 * p.grain())
        bow = [(-168, 404), (-222, 398), (-232, 474), (-176, 492)]
        knot = p.layer(
            join(*[np.array([self.cx + a, b]) for a, b in bow]), ribbon, thick=5, edge=5, shadow=0.6, sheen=0.05
        )
        knot.height += 4 * np.sin((p.x - self.cx + 150) / 9.0) * 0.5
        tie = p.layer(
            join(*[np.array([self.cx + a, b]) for a, b in [(-190, 400), (-206, 399), (-210, 482), (-194, 486)]]),
            ribbon,
            thick=4,
            edge=4,
            shadow=0.5,
            sheen=0.05,
        )
        for part in (knot, tie):
            part.tint(1 + 0.10 * np.cos(2 * np.pi * p.y / 3.2) + 0.06 * p.grain())

    def points(self):
        return {"band": self.pair((246, 464)), "crown": self.at(1, 0, 80).round(1).tolist()}


class Beanie(Pattern):
    def __init__(self, seed=1, base="#7c2f3a"):
        p = self.piece = Piece(800, 780, seed, sway=3)
        p.dome_width, p.dome_height, p.edge_dark = 90, 26, 0.25
        rim = [(0, 62), (90, 68), (190, 110), (268, 212), (300, 350), (306, 500), (304, 560)]
        outline = self.across(*rim)
        foot = self.across((0, 590), (180, 584), (304, 560))
        crown = p.layer(join(outline, foot[::-1]), base, thick=2, edge=2, shadow=0)
        half = np.interp(np.arange(p.h), [y for _, y in rim], [max(x, 20) for x, _ in rim]).astype(np.float32)[:, None]
        self.wool(crown, half, 26, p.y + 0.0003 * (p.x - self.cx) ** 2)
        for side in (-1, 1):
            crown.fold([self.at(side, 30, 66), self.at(side, 90, 120), self.at(side, 150, 220)], 22, 7, "start", 0.3)
            crown.fold([self.at(side, 250, 560), self.at(side, 210, 470), self.at(side, 190, 400)], 22, 8, "start", 0.3)
        crown.fold([self.at(1, 20, 66), self.at(1, 10, 130), self.at(1, -20, 250)], 20, 6, "start", 0.3)
        crown.height += 6 * p.noise(140, 2)
        upper = self.across((0, 536), (170, 528), (280, 508), (314, 496))
        lower = self.across((0, 716), (170, 708), (280, 688), (316, 674))
        cuff = p.layer(
            join(
                upper,
                self.way(1, (314, 496), (322, 590), (316, 674)),
                lower[::-1],
                self.way(-1, (316, 674), (322, 590), (314, 496)),
            ),
            base,
            thick=9,
            edge=9,
            shadow=0.6,
        )
        self.wool(cuff, np.full_like(half, 318), 26, p.y + 0.0004 * (p.x - self.cx) ** 2)
        cuff.height += 5 * p.noise(130, 1)
        cuff.groove(beside(upper, 4), 0.6, 2, 0.1, 2)
        tag = np.array([self.at(1, -58, 584), self.at(1, 58, 584), self.at(1, 58, 642), self.at(1, -58, 642)])
        label = p.layer(tag, "#7a5433", thick=3, edge=2, shadow=0.5, rough=0.3)
        label.tint(1 + 0.08 * p.noise(6, 2) + 0.04 * p.grain())
        label.height += 0.3 * p.noise(5, 2)
        label.stitch(np.concatenate([tag, tag[:1]]) * 0.9 + 0.1 * tag.mean(0), "#d8c8a8")
        x0, y0 = tag.mean(0)
        fabrics.screen_print(
            label,
            fabrics.graphic(
                p, lambda d, s: fabrics.spaced(d, (x0 * s, y0 * s), "VITRINE", 18 * s, (30, 18, 10, 255), 2 * s)
            ),
            wear=0,
        )

    def wool(self, layer, half, ribs, v):
        """Two-by-two rib that turns away at the sides."""
        p = layer.piece
        across = np.clip((p.x + 1.5 * p.noise(40, 1) - self.cx) / (half * 1.02), -0.999, 0.999)
        phase = np.arcsin(across) / np.pi * ribs
        ridge = 0.5 + 0.5 * np.cos(2 * np.pi * phase)
        narrow = np.sqrt(1 - across**2)
        layer.height += 6.0 * np.sqrt(ridge) * narrow
        layer.tint(0.5 + 0.5 * np.sqrt(ridge))
        lane = (phase * 2 + 0.5) % 1.0
        v_stitch = 0.5 + 0.5 * np.cos(2 * np.pi * (v / 9.0 - 0.8 * np.abs(lane - 0.5) * 2))
        layer.height += 0.9 * v_stitch * narrow
        layer.tint(0.80 + 0.22 * v_stitch)
        layer.tint(1 + 0.06 * p.grain(0.8) + 0.05 * p.noise(10, 2))

    def points(self):
        return {"band": self.pair((316, 674)), "crown": self.at(1, 0, 62).round(1).tolist()}


class Cap(Pattern):
    def __init__(self, seed=1, base="#23304a", visor_base="#23304a", thread="#e9e4d8", text="NB"):
        p = self.piece = Piece(860, 640, seed, sway=2.5)
        p.dome_width, p.dome_height, p.edge_dark = 60, 18, 0.2
        shape = self.across((0, 66), (110, 76), (208, 124), (280, 214), (308, 330), (304, 440))
        foot = self.across((0, 440), (140, 448), (240, 456), (304, 440))
        crown = p.layer(join(shape, foot[::-1]), base, thick=2, edge=2, shadow=0)
        x = (p.x - self.cx) / 330
        crown.height += 110 * np.sqrt(
            np.clip(1 - (x * 0.93) ** 2 - 0.5 * (np.clip(300 - p.y, 0, 300) / 300) ** 2, 0.02, 1)
        ) + 3.5 * p.noise(120, 2)
        fabrics.twill(crown, p.x, p.y, 1.6)
        seams = [smooth(self.at(1, 0, 68), self.at(1, 1, 230), self.at(1, 0, 412))]
        for side in (-1, 1):
            seams.append(self.way(side, (10, 68), (130, 116), (214, 240), (236, 426)))
        for seam in seams:
            crown.groove(seam, 2.2, 3, 0.25, 1.2)
            for d in (-6, 6):
                crown.stitch(beside(seam, d), np.clip(colour(base) * 1.5, 0, 1), opacity=0.7)
        for side in (-1, 1):
            eyelet = button(p, self.at(side, 84, 168), 8, base, holes=False)
            eyelet.tint(
                1
                - 0.85
                * np.exp(-((np.hypot(p.x - self.at(side, 84, 168)[0], p.y - self.at(side, 84, 168)[1]) / 3.4) ** 2))
            )
        knob = button(p, self.at(1, 0, 66), 15, base, holes=False)
        knob.dome = 0.4
        cx = self.cx

        def letters(d, s):
            fabrics.spaced(d, (cx * s, 288 * s), text, 118 * s, (236, 228, 208, 255), 8 * s, weight=4 * s)

        sheet = fabrics.graphic(p, letters)
        raised = sheet[..., 3]
        crown.height += 3.6 * blur(raised, 2.2) + 0.5 * raised * np.cos(2 * np.pi * (p.x + 0.5 * p.y) / 3.4)
        crown.tint(1 - 0.4 * np.clip(blur(raised, 4) - raised, 0, 1))
        crown.paint(raised, colour("#e9e0c8") * 1.0, 0.96)
        crown.tint(1 + raised * 0.10 * np.cos(2 * np.pi * (p.x + 0.5 * p.y) / 3.4))
        back = self.across((0, 404), (130, 411), (230, 428), (292, 444))
        front = self.across((0, 578), (130, 569), (228, 538), (282, 490), (298, 458), (292, 444))
        visor = p.layer(join(back, front[::-1]), visor_base, thick=9, edge=4, shadow=0.5)
        visor.height += -0.0009 * (p.x - self.cx) ** 2 + 20 * ramp(p.y, 590, 400) + 2 * p.noise(120, 1)
        visor.tint(0.82 + 0.25 * ramp(p.y, 410, 500))
        fabrics.twill(visor, p.x, p.y, 1.6)
        rows = np.clip(colour(visor_base) * 1.5, 0, 1)
        for k in range(6):
            t = (k + 0.35) / 6
            row = self.across((0, 570 - 150 * t), (130, 561 - 135 * t), (224 - 2 * k, 530 - 88 * t))
            visor.stitch(row, rows, opacity=0.6)

    def points(self):
        return {"band": self.pair((304, 440)), "crown": self.at(1, 0, 62).round(1).tolist()}
