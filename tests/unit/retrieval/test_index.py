from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_core.errors import InputError
from reid_core.retrieval.embedding_file import load_embeddings, save_embeddings
from reid_core.retrieval.index import GalleryIndex
from reid_core.types import EmbeddingSet, Refusal, Vectors

NET = "net-a"


def unit(rows: np.ndarray) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make_set(vectors: Vectors, prefix: str = "g", fingerprint: str = NET) -> EmbeddingSet:
    return EmbeddingSet(vectors, tuple(f"{prefix}{i}" for i in range(len(vectors))), fingerprint)


@pytest.fixture
def vectors() -> Vectors:
    return unit(np.random.default_rng(3).normal(size=(500, 32)))


def slow_order(vectors: Vectors, query: Vectors, allowed: list[int]) -> list[int]:
    """The obvious loop: Python floats, sorted by similarity, then by row."""
    exact = {
        row: sum(float(a) * float(b) for a, b in zip(vectors[row], query, strict=True)) for row in allowed
    }
    return sorted(allowed, key=lambda row: (-round(exact[row], 12), row))


def test_search__random_gallery__equals_the_slow_loop(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors))
    query = unit(np.random.default_rng(4).normal(size=32))
    hits = index.search(query, 40, fingerprint=NET)
    expected = slow_order(vectors, query, list(range(500)))[:40]
    assert [hit.image_id for hit in hits] == [f"g{row}" for row in expected]
    assert [hit.rank for hit in hits] == list(range(1, 41))
    assert hits[0].similarity == pytest.approx(float(vectors[expected[0]] @ query), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0), k=st.integers(1, 60))
def test_search__any_filter__loses_no_recall(seed: int, share: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng.normal(size=(80, 8))), unit(rng.normal(size=8))
    allowed = rng.random(80) < share
    hits = GalleryIndex.from_embeddings(make_set(vectors)).search(query, k, fingerprint=NET, allowed=allowed)
    expected = slow_order(vectors, query, np.flatnonzero(allowed).tolist())[:k]
    assert [hit.image_id for hit in hits] == [f"g{row}" for row in expected]


def test_search__all_ties__keep_gallery_order_at_any_size() -> None:
    one = unit(np.random.default_rng(0).normal(size=511))
    for count in (3, 130, 9001):
        index = GalleryIndex.from_embeddings(make_set(np.repeat(one[None], count, axis=0)))
        hits = index.search(one, 50, fingerprint=NET)
        assert [hit.image_id for hit in hits] == [f"g{row}" for row in range(min(50, count))]
        assert len({hit.similarity for hit in hits}) == 1


def test_search__gallery_smaller_than_k__gives_all(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors[:3]))
    assert len(index.search(vectors[0], 200, fingerprint=NET)) == 3


def test_search__empty_gallery_or_filter__gives_nothing(vectors: Vectors) -> None:
    assert GalleryIndex(NET, 32).search(vectors[0], 5, fingerprint=NET) == ()
    index = GalleryIndex.from_embeddings(make_set(vectors))
    assert index.search(vectors[0], 5, fingerprint=NET, allowed=np.zeros(500, dtype=bool)) == ()


def test_search__own_vector__similarity_is_one_and_never_above(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors))
    for row in range(50):
        best = index.search(vectors[row], 1, fingerprint=NET)[0]
        assert best.image_id == f"g{row}"
        assert 1.0 - 1e-6 < best.similarity <= 1.0


def test_search__other_fingerprint__refused(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors))
    with pytest.raises(InputError, match="must not be compared"):
        index.search(vectors[0], 5, fingerprint="net-b")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.zeros(32, dtype=np.float32), "norm 0"),
        (np.full(32, np.nan, dtype=np.float32), "norm nan"),
        (np.ones(31, dtype=np.float32), "31 numbers"),
        (np.ones((1, 32), dtype=np.float32), "one vector"),
    ],
)
def test_search__malformed_query__refused(vectors: Vectors, query: Vectors, message: str) -> None:
    with pytest.raises(InputError, match=message):
        GalleryIndex.from_embeddings(make_set(vectors)).search(query, 5, fingerprint=NET)


def test_search__k_zero_or_wrong_filter__refused(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors))
    with pytest.raises(InputError, match="k is 0"):
        index.search(vectors[0], 0, fingerprint=NET)
    with pytest.raises(InputError, match="one value per gallery row"):
        index.search(vectors[0], 5, fingerprint=NET, allowed=np.ones(499, dtype=bool))
    with pytest.raises(InputError, match="one value per gallery row"):
        index.search(vectors[0], 5, fingerprint=NET, allowed=np.arange(500))  # type: ignore[arg-type]


def test_add__in_two_parts__same_answers_as_at_once(vectors: Vectors) -> None:
    whole = make_set(vectors)
    parts = GalleryIndex(NET, 32)
    parts.add(EmbeddingSet(vectors[:200], whole.ids[:200], NET))
    parts.add(EmbeddingSet(vectors[200:], whole.ids[200:], NET))
    assert parts.search(vectors[7], 20, fingerprint=NET) == GalleryIndex.from_embeddings(whole).search(
        vectors[7], 20, fingerprint=NET
    )


def test_add__known_id_or_other_network__refused_and_nothing_added(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors[:10]))
    with pytest.raises(InputError, match="g0 is in the index already"):
        index.add(make_set(vectors[10:12]))
    with pytest.raises(InputError, match="must not be compared"):
        index.add(make_set(vectors[10:12], prefix="x", fingerprint="net-b"))
    with pytest.raises(InputError, match="31 numbers"):
        index.add(make_set(unit(np.ones((2, 31))), prefix="x"))
    assert len(index) == 10
    assert len(index.search(vectors[0], 50, fingerprint=NET)) == 10


def test_vectors_of__order_asked_for__kept_and_unknown_refused(vectors: Vectors) -> None:
    index = GalleryIndex.from_embeddings(make_set(vectors))
    assert np.array_equal(index.vectors_of(["g9", "g2"]), vectors[[9, 2]])
    with pytest.raises(InputError, match="nobody is not in the index"):
        index.vectors_of(["g1", "nobody"])


def test_save_load__round_trip__same_ids_vectors_and_network(tmp_path: Path, vectors: Vectors) -> None:
    path = tmp_path / "deep" / "index.npz"
    index = GalleryIndex.from_embeddings(make_set(vectors))
    index.save(path)
    loaded = GalleryIndex.load(path)
    assert loaded.ids == index.ids
    assert loaded.fingerprint == NET
    assert np.array_equal(loaded.vectors_of(loaded.ids), vectors)
    assert [entry.name for entry in path.parent.iterdir()] == ["index.npz"]


def test_save__fails_midway__old_file_stays_whole(
    tmp_path: Path, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index.npz"
    GalleryIndex.from_embeddings(make_set(vectors[:5])).save(path)

    def write_half(file, **arrays) -> None:  # type: ignore[no-untyped-def]
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", write_half)
    with pytest.raises(OSError, match="No space left"):
        GalleryIndex.from_embeddings(make_set(vectors)).save(path)
    assert len(GalleryIndex.load(path)) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["index.npz"]


def test_load__cut_short_or_foreign_or_missing__says_what_to_do(tmp_path: Path, vectors: Vectors) -> None:
    path = tmp_path / "index.npz"
    GalleryIndex.from_embeddings(make_set(vectors)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="delete it"):
        GalleryIndex.load(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="delete it"):
        GalleryIndex.load(path)
    with pytest.raises(InputError, match="Compute them first"):
        GalleryIndex.load(tmp_path / "none.npz")


def test_embedding_file__skipped_images_and_odd_ids__kept(tmp_path: Path, vectors: Vectors) -> None:
    ids = ("a\nb.jpg", "ü/ß.jpg", '"<x>.jpg')
    saved = EmbeddingSet(vectors[:3], ids, NET, (Refusal("bad.jpg", "cut short"),))
    save_embeddings(saved, tmp_path / "e.npz")
    loaded = load_embeddings(tmp_path / "e.npz")
    assert loaded.ids == ids
    assert loaded.skipped == saved.skipped
