"""The garments of the catalogue: what each is called and how it is drawn."""

from dataclasses import dataclass, field
from typing import Callable

import bottoms
import dresses
import eyewear
import fabrics
import headwear
import hoodie
import shirts
import tops
from upper import Cut

CREAM = (238, 234, 226, 255)


@dataclass
class Entry:
    """`build` returns a garment with a piece and its control points."""

    title: str
    category: str
    build: Callable
    fields: dict = field(default_factory=dict)
    with_points: bool = False
    kind: str = "png"
    ground: str | None = None


CATALOGUE = {
    "tee-red-print": Entry(
        "Northbound tee",
        "t-shirt",
        lambda: tops.tee(Cut(seed=11), "#b3202b", finish=tops.red_print),
        {"size": "M", "fit": "regular"},
        with_points=True,
    ),
    "tee-white": Entry(
        "White pocket tee",
        "t-shirt",
        lambda: tops.tee(Cut(seed=41), "#e9e9e7", finish=tops.chest_pocket),
        {"size": "M", "fit": "regular"},
    ),
    "tee-black-text": Entry(
        "Slow Mornings tee",
        "t-shirt",
        lambda: tops.tee(
            Cut(seed=42),
            "#222326",
            sheen=0.06,
            finish=tops.text_print(["SLOW", "MORNINGS", "COFFEE & VINYL"], CREAM, 400, [96, 60, 24]),
        ),
        {"size": "L", "fit": "regular"},
        kind="jpg",
        ground="#f1f1ef",
    ),
    "tee-teal-stripe": Entry(
        "Three-stripe tee",
        "t-shirt",
        lambda: tops.tee(Cut(seed=43), "#2f6f73", finish=tops.ringer, collar="#f0e6d0"),
        {"size": "M", "fit": "regular"},
        with_points=True,
    ),
    "long-sleeve-breton": Entry(
        "Breton top",
        "long-sleeve",
        lambda: tops.sweatshirt(Cut(seed=12, **tops.LONG), "#efebe0", finish=tops.breton),
        {"size": "M", "fit": "regular"},
        with_points=True,
    ),
    "sweater-knit": Entry(
        "Mustard sweater",
        "long-sleeve",
        lambda: tops.sweatshirt(
            Cut(seed=44, **tops.KNIT), "#c99a2e", 0.8, 52, fabrics.knit, rib=(9, 2.2, 0.5), collar_width=34
        ),
        {"size": "M", "fit": "loose"},
        kind="webp",
        ground="#eceeef",
    ),
    "hoodie-grey": Entry(
        "Grey hoodie",
        "long-sleeve",
        lambda: hoodie.hoodie(Cut(seed=45, **hoodie.HOODIE), "#8d939b"),
        {"size": "L", "fit": "loose"},
    ),
    "jacket-denim": Entry(
        "Denim jacket",
        "jacket",
        lambda: shirts.denim_jacket(Cut(seed=22, **shirts.JACKET)),
        {"size": "M", "fit": "regular"},
        with_points=True,
    ),
    "shirt-oxford": Entry(
        "Oxford shirt",
        "jacket",
        lambda: shirts.shirt(Cut(seed=31, **shirts.SHIRT), "#7fa3d0", fabrics.oxford, "#b4cbe8"),
        {"size": "M", "fit": "regular"},
        with_points=True,
    ),
    "shirt-flannel": Entry(
        "Flannel shirt",
        "jacket",
        lambda: shirts.shirt(
            Cut(seed=32, **shirts.SHIRT), "#a8322e", shirts.flannel("#1e2430", "#e8dcc0"), "#5a1c1c", "#2a2522", 2, True
        ),
        {"size": "M", "fit": "regular"},
    ),
    "tank-green": Entry(
        "Green tank top",
        "sleeveless",
        lambda: tops.tank(Cut(seed=13, **tops.TANK), "#4f7a58"),
        {"size": "M", "fit": "regular"},
    ),
    "dress-floral": Entry(
        "Floral dress",
        "dress",
        lambda: dresses.dress(Cut(seed=14, **dresses.DRESS), "#2a3d60", True, dresses.floral, tall=18, sheen=0.05),
        {"size": "S", "fit": "regular"},
        with_points=True,
    ),
    "dress-black": Entry(
        "Black shift dress",
        "dress",
        lambda: dresses.dress(
            Cut(seed=46, **dresses.SHIFT), "#1f2024", False, waist_seam=False, folds=5, tall=7, strength=0.9, sheen=0.07
        ),
        {"size": "S", "fit": "tight"},
    ),
    "skirt-pleated": Entry(
        "Pleated skirt",
        "skirt",
        lambda: bottoms.Pleats(
            bottoms.Tube(seed=35, width=900, height=860, hip=(240, 240), hem=(368, 790), hem_bow=20), "#a5606a"
        ),
        {"size": "S", "fit": "regular"},
        with_points=True,
    ),
    "skirt-denim": Entry(
        "Denim skirt", "skirt", lambda: bottoms.denim_skirt(bottoms.Tube(seed=34)), {"size": "S", "fit": "regular"}
    ),
    "trousers-jeans": Entry(
        "Blue jeans",
        "trousers",
        lambda: bottoms.jeans(bottoms.Legs(seed=21)),
        {"size": "M", "fit": "regular"},
        with_points=True,
    ),
    "trousers-chino": Entry(
        "Sand chinos",
        "trousers",
        lambda: bottoms.chino(bottoms.Legs(seed=33), "#a88a5e"),
        {"size": "M", "fit": "regular"},
        kind="jpg",
        ground="#e9ebed",
    ),
    "hat-fedora": Entry("Felt fedora", "hat", lambda: headwear.Fedora(36), {"size": "M"}, with_points=True),
    "hat-beanie": Entry("Wool beanie", "hat", lambda: headwear.Beanie(37), {"size": "M"}),
    "hat-cap": Entry("Navy cap", "hat", lambda: headwear.Cap(38), {"size": "M"}, kind="png", ground="#f2f2f0"),
    "eyeglasses-round": Entry(
        "Round tortoise glasses",
        "eyeglasses",
        lambda: eyewear.Glasses(eyewear.round_lens(), 39, base="#6b3d1c", tortoise=True),
        {"size": "M"},
        with_points=True,
    ),
    "eyeglasses-sun": Entry(
        "Sunglasses",
        "eyeglasses",
        lambda: eyewear.Glasses(
            eyewear.wayfarer_lens(), 40, rim=26, tint="#1a1d1c", tint_alpha=(0.88, 0.66), bridge=(92, 116, 36)
        ),
        {"size": "M"},
    ),
}
