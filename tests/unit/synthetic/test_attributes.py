from __future__ import annotations

from dataclasses import replace

import numpy as np

from reid_core.synthetic.attributes import (
    CATEGORICAL_ATTRIBUTES,
    REAL_ATTRIBUTES,
    attribute_labels,
    categorical_table,
    real_table,
)
from reid_core.synthetic.identity import sample_identity
from reid_core.synthetic.wardrobe import FULL_WARDROBE, WILD_WARDROBE


def test_categorical_table__many_people__indices_within_each_attributes_values() -> None:
    rng = np.random.default_rng(0)
    table = categorical_table([sample_identity(rng, WILD_WARDROBE) for _ in range(400)])
    sizes = np.array([len(attribute.values) for attribute in CATEGORICAL_ATTRIBUTES])
    assert table.shape == (400, len(CATEGORICAL_ATTRIBUTES))
    assert table.dtype == np.int64
    assert (table >= 0).all()
    assert (table < sizes).all()
    assert (table.max(axis=0) > table.min(axis=0)).all()  # every attribute tells people apart


def test_real_table__many_people__finite_with_about_unit_spread() -> None:
    rng = np.random.default_rng(1)
    table = real_table([sample_identity(rng, FULL_WARDROBE) for _ in range(400)])
    assert table.values.shape == table.weights.shape == (400, len(REAL_ATTRIBUTES))
    assert table.values.dtype == np.float32
    assert np.isfinite(table.values).all()
    assert np.abs(table.values).max() < 6
    assert set(np.unique(table.weights)) == {0.0, 1.0}


def test_real_table__what_cannot_be_seen__weighs_nothing() -> None:
    who = sample_identity(np.random.default_rng(2))
    names = [attribute.name for attribute in REAL_ATTRIBUTES]

    def weight(name: str, **changes: object) -> float:
        return float(real_table([replace(who, **changes)]).weights[0, names.index(name)])

    assert weight("bag_color_r", bag="none") == 0.0
    assert weight("bag_color_r", bag="backpack") == 1.0
    assert weight("inner_color_g", is_open=False) == 0.0
    assert weight("hair_color_b", hat="headscarf") == 0.0
    assert weight("lower_color_r", upper="dress", lower="none") == 0.0


def test_tables__no_people__empty_with_all_columns() -> None:
    assert categorical_table([]).shape == (0, len(CATEGORICAL_ATTRIBUTES))
    assert real_table([]).values.shape == (0, len(REAL_ATTRIBUTES))


def test_attribute_labels__print_on_plain_shirt__called_a_print() -> None:
    who = replace(
        sample_identity(np.random.default_rng(3)), print_kind="text", upper_pattern="plain", is_female=True
    )
    labels = attribute_labels(who)
    assert labels["upper_pattern"] == "print"
    assert labels["is_female"] == "yes"
    assert labels["upper"] == who.upper


def test_attributes__order__pinned_because_trained_heads_depend_on_it() -> None:
    assert [attribute.name for attribute in CATEGORICAL_ATTRIBUTES] == [
        "upper", "lower", "bag", "hair", "hat", "upper_pattern", "lower_pattern", "shoe", "glasses", "fringe",
        "is_female", "is_open", "has_beard", "neck_scarf", "long_sleeves",
    ]  # fmt: skip
    assert len(REAL_ATTRIBUTES) == 34
