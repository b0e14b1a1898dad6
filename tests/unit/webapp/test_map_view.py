from __future__ import annotations

import itertools

import numpy as np
import pytest

from reid_core.services.maps import Categories, Numbers, UmapParameters
from webapp.views.map_address import read_map_address
from webapp.views.map_figures import draw_svg, styles_of, write_csv
from webapp.views.map_legend import show_legend
from webapp.views.palettes import (
    BACKGROUNDS,
    GROUP_COLOURS,
    QUIET,
    SCALES,
    Theme,
    group_colour,
    group_shape,
    scale_colour,
)

SEEN_AS = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Machado et al. 2009, severity 1, on linear RGB."""


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    light = [float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", SEEN_AS)
def test_group_colours__each_pair__apart_for_every_kind_of_eye(theme: Theme, kind: str) -> None:
    seen = [lab(np.asarray(SEEN_AS[kind]) @ linear(colour)) for colour in GROUP_COLOURS[theme]]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 12


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours__on_their_background__visible(theme: Theme) -> None:
    for colour in (*GROUP_COLOURS[theme], QUIET[theme]):
        assert contrast(colour, BACKGROUNDS[theme]) >= 3
    light = [float(linear(stop) @ [0.2126, 0.7152, 0.0722]) for stop in SCALES[theme]]
    assert light == sorted(light)  # a perceptual scale gets lighter all the way
    assert scale_colour(0.0, theme) == SCALES[theme][0]
    assert scale_colour(2.0, theme) == SCALES[theme][-1]


def test_groups__21_in_a_row__look_different_and_quiet_ones_are_grey() -> None:
    looks = {
        (group_colour(code, "light", is_quiet=False), group_shape(code, is_quiet=False)) for code in range(21)
    }
    assert len(looks) == 21
    assert group_colour(4, "dark", is_quiet=True) == QUIET["dark"]
    assert group_colour(-1, "dark", is_quiet=False) == QUIET["dark"]


def test_legend__groups__in_order_quiet_last_unknown_counted() -> None:
    codes = np.array([0, 1, 1, 2, 2, 2, -1], dtype=np.int32)
    legend = show_legend("Identity", Categories(("person 1", "person 2", "junk"), codes, frozenset({2})))
    assert [(entry.label, entry.count) for entry in legend.entries] == [
        ("person 1", 1),
        ("person 2", 2),
        ("junk", 3),
    ]
    assert legend.num_unknown == 1
    assert legend.quiet == (2,)


def test_legend__numbers__ends_ticks_and_unit() -> None:
    legend = show_legend("Time", Numbers(np.array([0.0, 7200.0, np.nan]), unit="time"))
    assert (legend.low, legend.high, legend.num_unknown) == (0.0, 7200.0, 1)
    assert legend.ticks[0] == (0.0, "0:00:00")
    assert legend.ticks[-1] == (1.0, "2:00:00")
    assert show_legend("AP", Numbers(np.array([0.2, 0.4]), unit="share")).high == 1.0
    assert len(show_legend("same", Numbers(np.array([3.0, 3.0]))).ticks) == 1
    assert show_legend("none", Numbers(np.array([np.nan]))).num_unknown == 1


def test_styles__of_numbers__ends_of_the_scale_and_grey() -> None:
    styles = styles_of(Numbers(np.array([0.0, 10.0, np.nan])), "light")
    assert styles == [(SCALES["light"][0], "disc"), (SCALES["light"][-1], "disc"), (QUIET["light"], "disc")]


def test_svg__hostile_labels__escaped_and_all_points_inside() -> None:
    points = np.array([[0, 0], [1, 3], [2, 1]], dtype=np.float32)
    content = Categories(("<script>", "b"), np.array([0, 1, -1], dtype=np.int32))
    text = draw_svg(points, content, title="a & b", column="<i>", theme="dark")
    assert "<script>" not in text
    assert "&lt;script&gt; (1)" in text
    assert "a &amp; b" in text
    flat = draw_svg(
        np.zeros((2, 2), np.float32), Numbers(np.array([1.0, 1.0])), title="", column="", theme="light"
    )
    assert "nan" not in flat


def test_csv__texts_that_a_spreadsheet_would_run__quoted_and_ids_kept() -> None:
    text = write_csv(
        [{"id": "-1_c1.jpg", "note": "=HYPERLINK(1)", "n": -3}, {"id": "a,b", "note": "-cmd", "more": "x"}]
    )
    assert text.splitlines() == [
        "id,note,n,more",
        "-1_c1.jpg,'=HYPERLINK(1),-3,",
        '"a,b",\'-cmd,,x',
    ]


def test_address__round_trip__and_defaults_left_out() -> None:
    params = {
        "q": "a b.jpg",
        "color": "camera",
        "n": "30",
        "d": "0.25",
        "seed": "7",
        "metric": "euclidean",
        "with": "x",
    }
    address = read_map_address(params)
    assert address.params() == params
    assert address.parameters == UmapParameters(30, 0.25, 7, "euclidean")
    assert address.request().parameters == address.parameters
    assert address.compared("demo").aligned_to == "demo"
    assert read_map_address({}).params() == {}
    assert read_map_address({"layout": "pca"}).request().method == "pca"


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"n": "1"}, "2 to 200"),
        ({"n": "many"}, "not a number"),
        ({"d": "nan"}, "0 to 1"),
        ({"seed": "-4"}, "seed"),
        ({"metric": "manhattan"}, "metric"),
        ({"layout": "tsne"}, "tsne"),
        ({"layout": "pca", "with": "other"}, "UMAP maps only"),
    ],
)
def test_address__value_without_sense__named_and_the_default_taken(
    params: dict[str, str], problem: str
) -> None:
    address = read_map_address(params)
    assert address.parameters == UmapParameters()
    assert len(address.problems) == 1
    assert problem in address.problems[0]
