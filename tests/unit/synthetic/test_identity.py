from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from reid_core.errors import InputError
from reid_core.synthetic.colors import hex_color
from reid_core.synthetic.fashion import UPPER_COLORS
from reid_core.synthetic.identity import Identity, sample_identity, vary_identity
from reid_core.synthetic.wardrobe import (
    FULL_WARDROBE,
    LOWER_GARMENTS,
    TRAINING_WARDROBE,
    UPPER_GARMENTS,
    WILD_WARDROBE,
    Wardrobe,
)


def people(count: int, wardrobe: Wardrobe, seed: int = 0) -> list[Identity]:
    rng = np.random.default_rng(seed)
    return [sample_identity(rng, wardrobe) for _ in range(count)]


def test_sample_identity__same_seed__same_person() -> None:
    assert people(5, FULL_WARDROBE) == people(5, FULL_WARDROBE)
    assert len(set(people(50, FULL_WARDROBE))) == 50


@pytest.mark.parametrize("wardrobe", [TRAINING_WARDROBE, WILD_WARDROBE], ids=["training", "wild"])
def test_sample_identity__500_people_of_a_training_wardrobe__no_gallery_only_garment(
    wardrobe: Wardrobe,
) -> None:
    rng = np.random.default_rng(1)
    drawn = people(500, wardrobe)
    drawn += [vary_identity(who, rng, wardrobe) for who in drawn[:200]]
    assert {who.upper for who in drawn} == set(UPPER_GARMENTS) - {"coat", "puffer", "parka"}
    assert {who.lower for who in drawn} == set(LOWER_GARMENTS) - {"wide"}


def test_sample_identity__full_wardrobe__everything_is_worn() -> None:
    drawn = people(500, FULL_WARDROBE)
    assert {who.upper for who in drawn} == set(UPPER_GARMENTS)
    assert {who.lower for who in drawn} == set(LOWER_GARMENTS)


def test_sample_identity__narrow_wardrobe__only_its_kinds() -> None:
    narrow = Wardrobe(
        upper=frozenset({"shirt", "coat"}),
        lower=frozenset({"shorts"}),
        hats=frozenset({"cap"}),
        bags=frozenset({"none", "shopping"}),
        patterns=frozenset({"checks"}),
        prints=False,
    )
    for who in people(200, narrow):
        assert who.upper in ("shirt", "coat")
        assert (who.lower, who.hat, who.upper_pattern, who.lower_pattern) == (
            "shorts",
            "cap",
            "checks",
            "checks",
        )
        assert who.bag in ("none", "shopping")
        assert who.print_kind == "none"


def test_sample_identity__dress__nothing_below_and_nowhere_else() -> None:
    for who in people(200, FULL_WARDROBE):
        assert (who.lower == "none") == (who.upper == "dress")


def test_sample_identity__season_without_allowed_garment__says_what_to_do() -> None:
    with pytest.raises(InputError, match="none for season 'warm'.*Allow one"):
        sample_identity(np.random.default_rng(0), Wardrobe(upper=frozenset({"coat"})), season="warm")


def test_sample_identity__wild_wardrobe__colours_more_varied_than_the_street() -> None:
    street = np.array([hex_color(code) for _, codes in UPPER_COLORS for code in codes])

    def share_unlike_the_street(wardrobe: Wardrobe) -> float:
        colors = np.array([who.upper_color for who in people(200, wardrobe)])
        return float((np.linalg.norm(colors[:, None] - street, axis=-1).min(axis=1) > 0.12).mean())

    assert share_unlike_the_street(WILD_WARDROBE) > 0.15
    assert share_unlike_the_street(TRAINING_WARDROBE) < 0.02
    wild, usual = (
        np.mean([who.upper_pattern == "plain" for who in people(200, wardrobe)])
        for wardrobe in (WILD_WARDROBE, TRAINING_WARDROBE)
    )
    assert wild < 0.75 * usual


def test_sample_identity__every_number__finite_and_every_colour_in_range() -> None:
    for who in people(150, WILD_WARDROBE) + people(150, FULL_WARDROBE):
        for field in fields(Identity):
            value = getattr(who, field.name)
            if isinstance(value, tuple):
                assert len(value) == 3
                assert all(0.0 <= channel <= 1.0 for channel in value), field.name
            elif isinstance(value, float):
                assert np.isfinite(value), field.name
        assert 1.48 <= who.height_m <= 1.98


def test_vary_identity__look_alike__same_garments_other_person() -> None:
    rng = np.random.default_rng(2)
    differing_hair = 0
    for base in people(100, FULL_WARDROBE):
        other = vary_identity(base, rng)
        for name in (
            "upper",
            "lower",
            "upper_pattern",
            "is_open",
            "hem",
            "season",
            "is_female",
            "print_kind",
        ):
            assert getattr(other, name) == getattr(base, name), name
        assert np.abs(np.subtract(other.upper_color, base.upper_color)).max() < 0.3
        assert other.seed != base.seed
        differing_hair += other.hair != base.hair
    assert differing_hair > 40


def test_from_dict__through_json__equal() -> None:
    for who in people(20, WILD_WARDROBE):
        assert Identity.from_dict(json.loads(json.dumps(who.to_dict()))) == who


def test_from_dict__missing_and_unknown_fields__named_in_the_error() -> None:
    values = people(1, FULL_WARDROBE)[0].to_dict()
    del values["upper"]
    with pytest.raises(InputError, match=r"lacks \['upper'\] and has unknown \['shirt_kind'\]"):
        Identity.from_dict(values | {"shirt_kind": "tee"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"upper": frozenset()}, "Wardrobe.upper is"),
        ({"bags": frozenset({"suitcase"})}, "Wardrobe.bags is"),
        ({"lower": frozenset({"none"})}, "nothing to wear below"),
        ({"wild_color_share": 1.5}, "expected a share"),
    ],
)
def test_wardrobe__impossible_choice__input_error(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(FULL_WARDROBE, **change)
