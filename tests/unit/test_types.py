from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from reid_core.errors import InputError
from reid_core.types import SPLIT_NAMES, Dataset, ImageRecord


def test_image_record__sent_to_another_process__arrives_equal() -> None:
    for record in (
        ImageRecord("a.jpg", Path("a.jpg")),
        ImageRecord("a.jpg", Path("a.jpg"), 3, 1, 2.5, {"hat": "red"}),
    ):
        assert pickle.loads(pickle.dumps(record)) == record
        assert len({record, record}) == 1


@pytest.mark.parametrize(("image_id", "pid", "message"), [("", 1, "empty id"), ("a.jpg", -2, "has pid -2")])
def test_image_record__impossible_values__input_error(image_id: str, pid: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageRecord(image_id, Path("a.jpg"), pid)


def test_dataset_splits__all_names_in_order_empty_ones_too() -> None:
    record = ImageRecord("a.jpg", Path("a.jpg"))
    splits = Dataset("x", Path(), query=(record,)).splits()
    assert tuple(splits) == SPLIT_NAMES
    assert splits["query"] == (record,)
    assert splits["locked_gallery"] == ()
