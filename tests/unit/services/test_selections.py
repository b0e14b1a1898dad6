from __future__ import annotations

from pathlib import Path

import pytest

from reid_core.errors import InputError
from reid_core.services.selections import SelectionStore


def test_save__order_and_repetition__same_key(tmp_path: Path) -> None:
    store = SelectionStore(tmp_path)
    assert store.save("city", ["b", "a", "b"]) == store.save("city", ["a", "b"])
    assert store.save("city", ["a"]) != store.save("city", ["a", "b"])


def test_load__returns_what_was_saved_in_id_order(tmp_path: Path) -> None:
    key = SelectionStore(tmp_path).save("city", ["b<&>.jpg", "a.jpg"])
    assert SelectionStore(tmp_path).load("city", key) == ("a.jpg", "b<&>.jpg")


def test_load__other_gallery__refused(tmp_path: Path) -> None:
    store = SelectionStore(tmp_path)
    key = store.save("city", ["a"])
    with pytest.raises(InputError, match="is of gallery 'city'"):
        store.load("lab", key)


@pytest.mark.parametrize("key", ["", "../secret", "0123456789abcdef", "0" * 15])
def test_load__no_such_key__refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match="There is no selection"):
        SelectionStore(tmp_path).load("city", key)


def test_save__nothing_selected__refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 images were selected"):
        SelectionStore(tmp_path).save("city", [])
