"""The garments of the catalogue: what each is called and how it is drawn."""

from dataclasses import dataclass, field
from typing import Callable

import bottoms
import shirts
import tops
from tops import Cut


@dataclass
class Entry:
    title: str
    category: str
    make: Callable
    with_points: bool = False
    kind: str = "png"
    ground: str | None = None
    fields: dict = field(default_factory=dict)


def top(build, cut, *rest, **options):
    def make():
        garment = build(cut, *rest, **options)
        return garment.piece, garment.points()
    return make


bottom = top

CATALOGUE = {
    "tee-red-print": Entry("Northbound tee", "t-shirt", top(tops.tee, Cut(seed=11), "#b3202b", finish=tops.red_print), True),
    "long-sleeve-breton": Entry("Breton top", "long-sleeve", top(tops.sweatshirt, Cut(seed=12, **tops.LONG), "#efebe0", finish=tops.breton), True),
    "tank-green": Entry("Green tank top", "sleeveless", top(tops.tank, Cut(seed=13, **tops.TANK), "#4f7a58")),
    "dress-floral": Entry("Floral dress", "dress", top(tops.dress, Cut(seed=14, **tops.DRESS), "#2a3d60", True, tops.floral, tall=16, sheen=0.05), True),
    "jacket-denim": Entry("Denim jacket", "jacket", top(shirts.denim_jacket, Cut(seed=22, **shirts.JACKET)), True),
    "trousers-jeans": Entry("Blue jeans", "trousers", bottom(bottoms.jeans, bottoms.Legs(seed=21)), True),
}
