"""Cover names of crops: what they hide, and that they are known again."""

from __future__ import annotations

from pathlib import Path

from reid_core.annotation import IdentityGraph
from reid_core.services.review.covers import Covers, is_cover, kept_secret
from reid_core.services.review.records import CropFace

CROPS = ("0001_c1.jpg", "0002_c1.jpg")


def covers(secret: bytes = b"secret", collection: str = "city") -> Covers:
    return Covers(collection, secret, lambda: CROPS)


def test_cover__same_crop__one_name_that_needs_the_secret_and_the_gallery() -> None:
    name = covers().cover(CROPS[0])
    assert is_cover(name)
    assert name == covers().cover(CROPS[0])
    assert len({name, *(c.cover(CROPS[0]) for c in (covers(b"other"), covers(collection="town")))}) == 3
    assert name != covers().cover(CROPS[1])


def test_uncover__name_of_before_a_restart__known_again() -> None:
    assert covers().uncover(covers().cover(CROPS[1])) == CROPS[1]


def test_uncover__no_cover_or_a_strange_one__as_it_is() -> None:
    for name in (CROPS[0], "blind-1", covers(b"other").cover(CROPS[0])):
        assert covers().uncover(name) == name


def test_uncover_key__of_a_covered_pair_only() -> None:
    own = covers()
    left, right = sorted(own.cover(crop) for crop in CROPS)
    assert own.uncover_key(f"pair:{left}|{right}") == "pair:0001_c1.jpg|0002_c1.jpg"
    for key in ("pair:b|a", "sheet:a", f"pair:{left}|a", ""):
        assert own.uncover_key(key) == key


def test_face__covered__neither_label_nor_file_name() -> None:
    face = CropFace(CROPS[0], CROPS[0], f"gradio_api/reid/image/city/{64 * 'a'}.jpg", 32, 64, 1, 2, 3.0)
    covered = covers().face(face)
    assert "0001" not in str(covered)
    assert (covered.pid, covered.camid, covered.image_url) == (None, 2, face.image_url)


def test_uncover_answer__seen_is_the_length_of_the_log__becomes_the_revision_it_stood_for() -> None:
    own, graph = covers(), IdentityGraph(dict.fromkeys(CROPS))
    left, right = (own.cover(crop) for crop in CROPS)
    sent = {"left": left, "right": right, "seen": {left: 0, right: 7}, "answer": "same"}
    plain = own.uncover_answer(sent, graph)
    assert plain == {**sent, "left": CROPS[0], "right": CROPS[1], "seen": {CROPS[0]: 0, CROPS[1]: 7}}


def test_uncover_answer__not_covered_or_no_answer_at_all__as_it_is() -> None:
    graph = IdentityGraph(dict.fromkeys(CROPS))
    for sent in ({"left": CROPS[0], "right": CROPS[1]}, {"left": 3}, [1], None):
        assert covers().uncover_answer(sent, graph) is sent


def test_kept_secret__made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "blind.key"
    secret = kept_secret(path)
    assert len(secret) == 32
    assert kept_secret(path) == secret
    assert path.stat().st_mode & 0o077 == 0
    assert kept_secret(tmp_path / "other.key") != secret
