"""What people wear and how often: palettes, and weights of garments, hats, bags and patterns by season.

Weights are relative. Colours are mostly dark and neutral, as in the street.
"""

from __future__ import annotations

from reid_core.synthetic.colors import Palette
from reid_core.synthetic.wardrobe import Bag, Hat, LowerGarment, Pattern, UpperGarment

UPPER_COLORS: Palette = [
    (24, ["141416", "1c1c20", "222226", "18191d"]),
    (13, ["e8e6e2", "f2f2f0", "dcdad6"]),
    (11, ["6e7074", "8a8c90", "4a4c50", "a5a7a9"]),
    (10, ["1d2742", "232f4f", "18203a"]),
    (7, ["3a5f96", "5b86bd", "2c4f8c", "86a9cf"]),
    (7, ["8e1f24", "b52a2c", "6d1a22", "c8413a"]),
    (6, ["3a4a32", "56633f", "22422f", "2f7a4f"]),
    (8, ["b79d78", "8a6f50", "6d5138", "c9b695", "9c8466"]),
    (4, ["d9a0ae", "c4708a", "e3c3c8"]),
    (3, ["d9b33a", "c89a2c", "e0c96a"]),
    (3, ["5b3a6e", "8a6aa0", "473058"]),
    (2, ["d3692a", "c9501e"]),
    (2, ["2f8a8a", "58aeb0"]),
]
LOWER_COLORS: Palette = [
    (27, ["141416", "1b1c20", "202126"]),
    (18, ["1f2a44", "26324e", "2c3a58"]),
    (12, ["4b648c", "5f7ba3", "7f98b8"]),
    (8, ["1b2238", "232a44"]),
    (11, ["55575c", "75777b", "3d3f44", "94969a"]),
    (10, ["b29a74", "a68d68", "c6b491", "8c7657"]),
    (5, ["4c3a2a", "5c4732"]),
    (4, ["e4e2dd", "efeeea"]),
    (3, ["434d35", "5a6345"]),
    (2, ["7a2028", "9a3038"]),
]
BAG_COLORS: Palette = [
    (10, ["141416", "1b1c20"]),
    (4, ["4c3a2a", "8a6f50", "6d5138"]),
    (3, ["6e7074", "3d3f44"]),
    (3, ["1d2742", "3a5f96"]),
    (2, ["8e1f24", "b52a2c"]),
    (1.5, ["3a4a32"]),
    (1, ["d9b33a", "d3692a"]),
    (1.5, ["e8e6e2", "d9a0ae"]),
]
PAPER_BAG_COLORS: Palette = [
    (4, ["f0f0ee"]),
    (2, ["c9b695"]),
    (1, ["d9a0ae"]),
    (1, ["2f7a4f"]),
    (1, ["141416"]),
]
SHOE_COLORS: dict[str, Palette] = {
    "sneaker": [
        (6, ["e8e8e6"]),
        (6, ["17171a"]),
        (2, ["6e7074"]),
        (1, ["b52a2c"]),
        (1.5, ["26324e"]),
        (1, ["c9b695"]),
        (1, ["3a5f96"]),
    ],
    "boot": [(5, ["17120f"]), (2, ["5c4028"]), (1, ["8a6844"])],
    "leather": [(5, ["121011"]), (2, ["3d2416"]), (1, ["5a3820"])],
    "sandal": [(1, ["2a1d14"]), (1, ["8a6844"]), (1, ["141416"])],
}
SKIN_COLORS: Palette = [
    (0.10, ["f1d3bf"]),
    (0.15, ["e8c2a6"]),
    (0.17, ["dcae8c"]),
    (0.15, ["d09f7a"]),
    (0.12, ["c48e68"]),
    (0.09, ["a9744f"]),
    (0.08, ["8d5a3a"]),
    (0.06, ["6f432a"]),
    (0.05, ["55321f"]),
    (0.03, ["40261a"]),
]
HAIR_COLORS: Palette = [
    (34, ["120e0c"]),
    (24, ["22160f"]),
    (15, ["3d281a"]),
    (8, ["5d4128"]),
    (7, ["8d6c42"]),
    (4, ["b8945c"]),
    (5, ["77736e"]),
    (3, ["b8b4ae"]),
    (2, ["5e2a18"]),
    (1, ["6a2f5a"]),
]
DARK_HAIR_COLORS: Palette = [(6, ["120e0c"]), (3, ["1a1210"]), (2, ["22160f"]), (1, ["77736e"])]
NUM_LIGHT_SKINS = 5  # hair of all colours goes with the first five skin colours

HAT_WEIGHTS: dict[str, dict[Hat, float]] = {
    "warm": {"none": 0.84, "cap": 0.11, "bucket": 0.05},
    "mild": {"none": 0.84, "cap": 0.08, "beanie": 0.05, "bucket": 0.03},
    "cold": {"none": 0.66, "cap": 0.05, "beanie": 0.27, "bucket": 0.02},
}
UPPER_WEIGHTS: dict[tuple[str, bool], dict[UpperGarment, float]] = {
    ("warm", True): {"tee": 5, "polo": 0.8, "shirt": 1.2, "tank": 1.2, "dress": 2.2},
    ("warm", False): {"tee": 6, "polo": 2, "shirt": 2, "tank": 0.7},
    ("mild", True): {"long": 3, "shirt": 2, "hoodie": 2, "jacket": 2.6, "blazer": 1.3, "dress": 1},
    ("mild", False): {"long": 2.4, "shirt": 2, "hoodie": 2.8, "jacket": 2.6, "blazer": 1.4, "tee": 1.4},
    ("cold", True): {"jacket": 2.6, "puffer": 3, "coat": 2.6, "hoodie": 1.2, "parka": 1.4},
    ("cold", False): {"jacket": 2.6, "puffer": 3, "coat": 2.6, "hoodie": 1.2, "parka": 1.4},
}
LOWER_WEIGHTS: dict[tuple[bool, bool], dict[LowerGarment, float]] = {  # (is warm, is female)
    (True, True): {"trousers": 4, "shorts": 2.6, "skirt": 2.4, "leggings": 0.8},
    (True, False): {"trousers": 5, "shorts": 4.6},
    (False, True): {"trousers": 5, "wide": 1.2, "skirt": 1.3, "leggings": 2},
    (False, False): {"trousers": 7, "wide": 1.2, "track": 1.5},
}
BAG_WEIGHTS: dict[bool, dict[Bag, float]] = {
    True: {
        "none": 0.36,
        "backpack": 0.24,
        "crossbody": 0.12,
        "shoulder": 0.14,
        "hand": 0.06,
        "shopping": 0.08,
    },
    False: {
        "none": 0.46,
        "backpack": 0.30,
        "crossbody": 0.12,
        "shoulder": 0.03,
        "hand": 0.04,
        "shopping": 0.05,
    },
}
PRINTED = "printed"  # a plain garment with a print, drawn beside the patterns
UPPER_PATTERN_WEIGHTS: dict[UpperGarment, dict[str, float]] = {
    "tee": {
        "plain": 0.44, "stripes": 0.10, "checks": 0.02, "cloud": 0.05, "gradient": 0.03, "yoke": 0.05,
        "dots": 0.04, "band": 0.05, PRINTED: 0.22,
    },
    "tank": {"plain": 0.6, "stripes": 0.15, "cloud": 0.1, "gradient": 0.05, "dots": 0.1},
    "polo": {"plain": 0.5, "stripes": 0.2, "yoke": 0.12, "band": 0.18},
    "shirt": {
        "plain": 0.38, "stripes": 0.04, "checks": 0.36, "pinstripes": 0.12, "cloud": 0.03, "dots": 0.07,
    },
    "long": {
        "plain": 0.5, "stripes": 0.22, "checks": 0.04, "cloud": 0.06, "gradient": 0.04, "yoke": 0.04,
        "dots": 0.04, "band": 0.06,
    },
    "hoodie": {
        "plain": 0.5, "stripes": 0.02, "cloud": 0.05, "gradient": 0.04, "yoke": 0.12, "band": 0.06,
        PRINTED: 0.21,
    },
    "jacket": {"plain": 0.66, "checks": 0.05, "cloud": 0.06, "yoke": 0.16, "band": 0.07},
    "blazer": {"plain": 0.8, "checks": 0.12, "pinstripes": 0.08},
    "puffer": {"plain": 0.74, "cloud": 0.02, "yoke": 0.18, "band": 0.06},
    "coat": {"plain": 0.8, "checks": 0.14, "pinstripes": 0.02, "cloud": 0.04},
    "parka": {"plain": 0.88, "cloud": 0.08, "yoke": 0.04},
    "dress": {
        "plain": 0.45, "stripes": 0.12, "checks": 0.07, "pinstripes": 0.03, "cloud": 0.08,
        "gradient": 0.05, "yoke": 0.02, "dots": 0.18,
    },
}  # fmt: skip
LOWER_PATTERN_WEIGHTS: dict[Pattern, float] = {"plain": 0.9, "checks": 0.03, "cloud": 0.04, "dots": 0.03}
SKIRT_PATTERN_WEIGHTS: dict[Pattern, float] = {
    "plain": 0.7, "stripes": 0.08, "checks": 0.1, "pinstripes": 0.04, "dots": 0.08,
}  # fmt: skip
OPEN_SHARES = {"jacket": 0.45, "puffer": 0.35, "coat": 0.4, "parka": 0.4, "hoodie": 0.18, "shirt": 0.2}
HEMS = {
    "tee": -0.10, "polo": -0.09, "shirt": -0.12, "tank": -0.08, "long": -0.08, "hoodie": -0.08,
    "jacket": -0.07, "blazer": -0.15, "puffer": -0.07, "coat": -0.46, "parka": -0.26, "dress": -0.45,
}  # fmt: skip
WEAVES = {"long": 0.10, "coat": 0.09, "hoodie": 0.06}
