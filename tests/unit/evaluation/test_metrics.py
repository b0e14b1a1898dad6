from __future__ import annotations

import itertools
import tracemalloc
from typing import Any, get_args

import numpy as np
import pytest
from slow_reference import evaluate_slowly

from reid_core.distances import pairwise_distances
from reid_core.errors import CancelledError, InputError, NoValidQueryError
from reid_core.evaluation import (
    CUHK03_CLASSIC,
    LAYUMI,
    MARKET1501,
    MATLAB,
    OPENREID_CUHK03,
    PROTOCOLS,
    SINGLE_CAMERA,
    TORCHREID,
    EvalReport,
    Protocol,
    evaluate_blocks,
    evaluate_embeddings,
    evaluate_ranking,
    protocol_named,
)
from reid_core.evaluation.protocol import (
    ApRule,
    DistractorRule,
    JunkRule,
    SameCameraRule,
    TieRule,
    UnmatchedRule,
)
from reid_core.types import EmbeddingSet


def evaluate_one_query(distances: list[float], gallery_pids: list[int], **options: Any) -> EvalReport:
    """One query of pid 1 seen by camera 1; the gallery is seen by camera 2 unless said otherwise."""
    camids = options.pop("gallery_camids", [2] * len(distances))
    return evaluate_ranking(
        np.array([distances]), query_pids=[1], gallery_pids=gallery_pids, query_camids=[1],
        gallery_camids=camids, **options,
    )  # fmt: skip


def random_case(rng: np.random.Generator) -> dict[str, Any]:
    num_queries, num_gallery = int(rng.integers(1, 8)), int(rng.integers(1, 24))
    lowest = int(rng.integers(-1, 2))
    highest = lowest + int(rng.integers(1, 6))
    levels = int(rng.choice([1, 3, 8, 1000]))
    cameras = int(rng.integers(1, 4))
    return {
        "distances": rng.integers(0, levels, (num_queries, num_gallery)).astype(rng.choice(["f4", "f8"]))
        / levels,
        "query_pids": rng.integers(lowest, highest + 1, num_queries),
        "gallery_pids": rng.integers(lowest, highest + 1, num_gallery),
        "query_camids": rng.integers(0, cameras, num_queries),
        "gallery_camids": rng.integers(0, cameras, num_gallery),
    }


ALL_POLICIES = [
    Protocol("all", *choice)
    for choice in itertools.product(
        get_args(ApRule), get_args(JunkRule), get_args(DistractorRule),
        get_args(UnmatchedRule), get_args(TieRule), get_args(SameCameraRule),
    )
]  # fmt: skip


def assert_equals_slow(case: dict[str, Any], protocol: Protocol, max_rank: int) -> bool:
    arrays = [case[key] for key in ("query_pids", "gallery_pids", "query_camids", "gallery_camids")]
    expected = evaluate_slowly(case["distances"], *arrays, protocol=protocol, max_rank=max_rank)
    if expected is None:
        with pytest.raises(NoValidQueryError):
            evaluate_ranking(**case, protocol=protocol, max_rank=max_rank)
        return False
    report = evaluate_ranking(**case, protocol=protocol, max_rank=max_rank)
    np.testing.assert_allclose(report.cmc, expected.cmc, rtol=0, atol=1e-12)
    assert report.mean_ap == pytest.approx(expected.mean_ap, abs=1e-12)
    assert report.mean_inp == pytest.approx(expected.mean_inp, abs=1e-12)
    assert report.num_unmatched == expected.num_unmatched
    assert report.per_query.first_match_rank.tolist() == expected.first_ranks
    assert report.per_query.best_false_index.tolist() == expected.best_false
    return True


def test_evaluate_ranking__every_policy_on_random_cases__equals_slow_loop() -> None:
    rng = np.random.default_rng(0)
    compared = 0
    for protocol in ALL_POLICIES:
        for _ in range(25):
            compared += assert_equals_slow(random_case(rng), protocol, int(rng.integers(1, 30)))
    assert compared > 2000


@pytest.mark.parametrize("ties", get_args(TieRule))
def test_evaluate_ranking__hundreds_of_matches_and_ties__equals_slow_loop(ties: TieRule) -> None:
    rng = np.random.default_rng(1)
    case = {
        "distances": rng.integers(0, 40, (6, 700)).astype(np.float32),
        "query_pids": rng.integers(1, 4, 6),
        "gallery_pids": rng.integers(1, 4, 700),
        "query_camids": rng.integers(0, 3, 6),
        "gallery_camids": rng.integers(0, 3, 700),
    }
    assert assert_equals_slow(case, Protocol(ties=ties), 50)


def test_evaluate_ranking__hits_at_ranks_2_and_4__ap_is_half() -> None:
    report = evaluate_one_query([0.1, 0.2, 0.3, 0.4], [5, 1, 6, 1])
    assert report.mean_ap == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert report.mean_inp == pytest.approx(2 / 4)
    assert report.cmc.tolist() == [0, 1, 1, 1]
    assert (report.rank1, report.rank5) == (0, 1)


@pytest.mark.parametrize(
    ("match_ranks", "step", "trapezoid"),
    [({1, 2, 4, 7}, 0.830, 0.811), ({2}, 0.500, 0.250), ({3, 4, 5}, 0.478, 0.378), ({1}, 1.0, 1.0)],
)
def test_evaluate_ranking__both_ap_rules__hand_computed_values(
    match_ranks: set[int], step: float, trapezoid: float
) -> None:
    pids = [1 if rank in match_ranks else 9 for rank in range(1, 9)]
    distances = [rank / 10 for rank in range(1, 9)]
    assert evaluate_one_query(distances, pids).mean_ap == pytest.approx(step, abs=5e-4)
    assert evaluate_one_query(distances, pids, protocol=MATLAB).mean_ap == pytest.approx(trapezoid, abs=6e-4)


def test_evaluate_ranking__same_pid_same_camera__is_neither_match_nor_mismatch() -> None:
    report = evaluate_one_query([0.1, 0.2, 0.3], [1, 7, 1], gallery_camids=[1, 1, 2])
    assert report.per_query.num_matches.tolist() == [1]
    assert report.per_query.num_kept.tolist() == [2]
    assert report.mean_ap == pytest.approx(1 / 2)


def test_evaluate_ranking__junk_and_distractor_ahead__junk_ignored_distractor_hurts() -> None:
    distances, pids = [0.1, 0.2, 0.3], [-1, 0, 1]
    assert evaluate_one_query(distances, pids).mean_ap == pytest.approx(1 / 2)
    assert evaluate_one_query(distances, pids, protocol=TORCHREID).mean_ap == pytest.approx(1 / 3)
    assert evaluate_one_query(distances, pids, protocol=Protocol(distractors="drop")).mean_ap == 1.0


def test_evaluate_ranking__query_pid_zero__matches_pid_zero_from_another_camera() -> None:
    report = evaluate_ranking(
        [[0.1, 0.2]], query_pids=[0], gallery_pids=[3, 0], query_camids=[1], gallery_camids=[2, 2]
    )
    assert report.mean_ap == pytest.approx(1 / 2)


def test_evaluate_ranking__all_distances_equal__tie_rule_decides() -> None:
    distances, pids = [0.5] * 4, [9, 1, 9, 9]
    first_rank = {
        ties: int(
            evaluate_one_query(distances, pids, protocol=Protocol(ties=ties)).per_query.first_match_rank[0]
        )
        for ties in get_args(TieRule)
    }
    assert first_rank == {"stable": 2, "reversed": 3, "optimistic": 1, "pessimistic": 4}


def test_evaluate_ranking__unmatched_query__skipped_or_zero_and_counted() -> None:
    case: dict[str, Any] = {
        "distances": [[0.1, 0.2], [0.1, 0.2]], "query_pids": [1, 8], "gallery_pids": [1, 2],
        "query_camids": [1, 1], "gallery_camids": [2, 2],
    }  # fmt: skip
    skipped, zero = evaluate_ranking(**case), evaluate_ranking(**case, protocol=Protocol(unmatched="zero"))
    assert (skipped.mean_ap, skipped.rank1, skipped.num_unmatched) == (1.0, 1.0, 1)
    assert (zero.mean_ap, zero.mean_inp, zero.rank1, zero.num_unmatched) == (0.5, 0.5, 0.5, 1)
    assert np.isnan(skipped.per_query.ap[1])
    assert zero.per_query.ap[1] == 0.0


def test_evaluate_ranking__gallery_smaller_than_max_rank__curve_has_gallery_length() -> None:
    report = evaluate_one_query([0.1, 0.2, 0.3], [5, 6, 1])
    assert report.cmc.tolist() == [0, 0, 1]
    assert report.rank20 == 1.0


def test_evaluate_ranking__kept_gallery_shorter_than_curve__curve_stays_at_one() -> None:
    report = evaluate_one_query([0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1], gallery_camids=[1, 1, 1, 2])
    assert report.cmc.tolist() == [1, 1, 1, 1]


def test_rank__beyond_max_rank__refused() -> None:
    report = evaluate_one_query([0.1, 0.2], [1, 2], max_rank=10)
    with pytest.raises(InputError, match="Rank-20 was not computed"):
        _ = report.rank20


def test_evaluate_ranking__text_cameras__same_result_as_numbers() -> None:
    rng = np.random.default_rng(2)
    case = random_case(rng) | {
        "query_pids": [1, 2],
        "gallery_pids": [1, 2, 1, 2],
        "distances": rng.random((2, 4)),
    }
    numbers = evaluate_ranking(**case | {"query_camids": [1, 2], "gallery_camids": [1, 2, 2, 1]})
    texts = evaluate_ranking(
        **case | {"query_camids": ["c1", "c2"], "gallery_camids": ["c1", "c2", "c2", "c1"]}
    )
    assert texts.mean_ap == numbers.mean_ap
    assert texts.per_query.camid.tolist() == ["c1", "c2"]


def test_evaluate_ranking__own_index__own_image_is_dropped() -> None:
    distances = np.array([[0.0, 0.3, 0.2], [0.3, 0.0, 0.2], [0.2, 0.2, 0.0]])
    labels: dict[str, Any] = {
        "query_pids": [1, 1, 2], "gallery_pids": [1, 1, 2], "query_camids": None, "gallery_camids": None,
    }  # fmt: skip
    report = evaluate_ranking(distances, **labels, protocol=SINGLE_CAMERA, own_index=[0, 1, 2])
    assert report.per_query.first_match_rank.tolist() == [2, 2, -1]
    assert report.num_unmatched == 1


def test_evaluate_embeddings__one_camera_and_queries_in_gallery__refused_until_said_what_is_meant() -> None:
    vectors, pids = clustered(np.random.default_rng(12), 8, 3, 2.0)
    labels: dict[str, Any] = {
        "query_pids": pids, "gallery_pids": pids, "query_camids": None, "gallery_camids": None,
        "protocol": SINGLE_CAMERA,
    }  # fmt: skip
    with pytest.raises(InputError, match="same images.*own_index"):
        evaluate_embeddings(vectors, vectors, **labels)
    honest = evaluate_embeddings(vectors, vectors, **labels, own_index=np.arange(24))
    trivial = evaluate_embeddings(vectors, vectors, **labels, own_index=[-1] * 24)
    assert honest.rank1 < trivial.rank1 == 1.0


def test_evaluate_embeddings__large_gallery__full_matrix_is_never_held() -> None:
    rng = np.random.default_rng(13)
    query, gallery = rng.normal(size=(2000, 16)).astype("f4"), rng.normal(size=(40_000, 16)).astype("f4")
    labels: dict[str, Any] = {
        "query_pids": rng.integers(0, 500, 2000), "gallery_pids": rng.integers(0, 500, 40_000),
        "query_camids": np.zeros(2000, int), "gallery_camids": np.ones(40_000, int),
    }  # fmt: skip
    tracemalloc.start()
    evaluate_embeddings(query, gallery, **labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    full_matrix = 2000 * 40_000 * 4
    assert peak < 0.25 * full_matrix


def test_evaluate_ranking__float64_differences_below_float32__are_not_ties() -> None:
    report = evaluate_one_query([1.0 + 1e-12, 1.0], [9, 1])
    assert report.rank1 == 1.0


def test_evaluate_ranking__whole_number_distances__accepted() -> None:
    report = evaluate_ranking(
        np.array([[3, 1]]), query_pids=[1], gallery_pids=[1, 2], query_camids=[1], gallery_camids=[2, 2]
    )
    assert report.mean_ap == 0.5


def valid_case() -> dict[str, Any]:
    return {
        "distances": np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]), "query_pids": [1, 2],
        "gallery_pids": [1, 2, 2],
        "query_camids": [1, 1], "gallery_camids": [2, 2, 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": np.zeros(3)}, r"distances have shape \(3,\), expected \(Q, G\)"),
        ({"distances": np.zeros((3, 2))}, "were query and gallery swapped"),
        ({"distances": np.zeros((2, 3), dtype=bool)}, "type bool"),
        ({"distances": np.full((2, 3), np.nan)}, "query 0 contain NaN or infinity"),
        ({"distances": np.array([[0.1, 0.2, 0.3], [0.1, np.inf, 0.2]])}, "query 1 contain NaN or infinity"),
        ({"distances": np.zeros((2, 0)), "gallery_pids": [], "gallery_camids": []}, "the gallery is empty"),
        ({"distances": np.zeros((0, 3)), "query_pids": [], "query_camids": []}, "the query is empty"),
        ({"query_pids": [1.5, 2]}, "query_pids contains fractions"),
        ({"query_pids": [np.nan, 2]}, "query_pids contains fractions, NaN"),
        ({"query_pids": ["a", "b"]}, "query_pids has type"),
        ({"gallery_pids": [1, 2, -2]}, "gallery_pids contains -2"),
        ({"gallery_pids": [[1, 2, 2]]}, r"gallery_pids has shape \(1, 3\)"),
        ({"query_camids": [1, 1, 1]}, r"query_camids has shape \(3,\), expected \(2,\)"),
        ({"query_camids": ["1", "1"]}, "text and numbers never compare equal"),
        ({"query_camids": None}, "SINGLE_CAMERA"),
        ({"query_camids": [0.5, 1]}, "query_camids contains fractions"),
        ({"query_camids": [None, 1]}, "only camera ids may be text, and then all"),
        ({"protocol": "torchreid"}, "protocol is 'torchreid', expected a Protocol"),
        ({"max_rank": 0}, "max_rank is 0"),
        ({"max_rank": 2.5}, "max_rank is 2.5"),
        ({"own_index": [0, 3]}, "own_index holds 0 to 3"),
    ],
)
def test_evaluate_ranking__wrong_input__refused_with_reason(change: dict[str, Any], message: str) -> None:
    assert evaluate_ranking(**valid_case()).mean_ap > 0
    with pytest.raises(InputError, match=message):
        evaluate_ranking(**valid_case() | change)


def test_evaluate_ranking__pids_absent__error_says_so() -> None:
    with pytest.raises(
        NoValidQueryError, match="2 have a pid that no counted gallery image has.*one numbering"
    ):
        evaluate_ranking(**valid_case() | {"query_pids": [7, 8]})


def test_evaluate_ranking__one_camera__error_points_to_single_camera_protocol() -> None:
    case = valid_case() | {"gallery_camids": [1, 1, 1]}
    with pytest.raises(NoValidQueryError, match="All images have the same camid.*SINGLE_CAMERA"):
        evaluate_ranking(**case)
    assert evaluate_ranking(**case, protocol=SINGLE_CAMERA).mean_ap > 0


def test_evaluate_ranking__matches_only_from_same_camera_of_two__error_says_so() -> None:
    case = valid_case() | {"gallery_camids": [1, 1, 1], "query_camids": [1, 2], "query_pids": [1, 9]}
    with pytest.raises(NoValidQueryError, match="1 have a pid.*1 have their pid .*another camera"):
        evaluate_ranking(**case)


def clustered(rng: np.random.Generator, num_pids: int, per_pid: int, spread: float) -> tuple[Any, Any]:
    centres = rng.normal(size=(num_pids, 32))
    pids = np.repeat(np.arange(1, num_pids + 1), per_pid)
    vectors = centres[pids - 1] + spread * rng.normal(size=(len(pids), 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), pids


def split_case(rng: np.random.Generator, spread: float) -> dict[str, Any]:
    vectors, pids = clustered(rng, 15, 6, spread)
    camids = np.tile([1, 2, 3, 1, 2, 3], 15)
    is_query = np.tile([True, False, False, False, False, False], 15)
    return {
        "query": vectors[is_query], "gallery": vectors[~is_query], "query_pids": pids[is_query],
        "gallery_pids": pids[~is_query], "query_camids": camids[is_query],
        "gallery_camids": camids[~is_query],
    }  # fmt: skip


@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_evaluate_ranking__similarity_given__refused_unless_overridden(spread: float) -> None:
    case = split_case(np.random.default_rng(3), spread)
    similarity = case.pop("query") @ case.pop("gallery").T
    with pytest.raises(InputError, match="look like similarities"):
        evaluate_ranking(similarity, **case)
    assert evaluate_ranking(-similarity, **case).mean_ap > 0.5
    assert evaluate_ranking(similarity, **case, check_direction=False).mean_ap < 0.2


def test_evaluate_ranking__useless_model_and_all_ties__not_taken_for_similarity() -> None:
    rng = np.random.default_rng(4)
    case = split_case(rng, 1.0)
    shape = (len(case.pop("query")), len(case.pop("gallery")))
    for _ in range(300):
        evaluate_ranking(rng.random(shape), **case)
    evaluate_ranking(np.zeros(shape), **case, protocol=Protocol(ties="pessimistic"))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "squared_euclidean"])
@pytest.mark.parametrize("protocol", [MARKET1501, MATLAB, CUHK03_CLASSIC, OPENREID_CUHK03])
def test_evaluate_embeddings__any_metric__equals_ranking_of_full_matrix(
    metric: Any, protocol: Protocol
) -> None:
    case = split_case(np.random.default_rng(5), 1.2)
    blockwise = evaluate_embeddings(**case, metric=metric, protocol=protocol)
    full = pairwise_distances(case.pop("query"), case.pop("gallery"), metric)
    ranked = evaluate_ranking(full, **case, protocol=protocol)
    assert blockwise.metric == metric
    assert blockwise.cmc.tolist() == ranked.cmc.tolist()
    assert (blockwise.mean_ap, blockwise.mean_inp) == (ranked.mean_ap, ranked.mean_inp)
    for column in ("ap", "best_false_index", "best_false_distance", "first_match_rank", "shot_ranks"):
        np.testing.assert_array_equal(blockwise.per_query[column], ranked.per_query[column])


def test_evaluate_embeddings__several_blocks__equals_full_matrix_and_reports_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reid_core.distances._MAX_BLOCK_ROWS", 4)
    case = split_case(np.random.default_rng(6), 1.2)
    steps: list[tuple[int, int]] = []
    blockwise = evaluate_embeddings(**case, on_progress=lambda done, total: steps.append((done, total)))
    full = pairwise_distances(case.pop("query"), case.pop("gallery"))
    assert steps == [(4, 15), (8, 15), (12, 15), (15, 15)]
    assert blockwise.mean_ap == evaluate_ranking(full, **case).mean_ap


def as_set(vectors: Any, fingerprint: str) -> EmbeddingSet:
    return EmbeddingSet(vectors, tuple(str(i) for i in range(len(vectors))), fingerprint)


def test_evaluate_embeddings__embedding_sets__fingerprints_must_agree() -> None:
    case = split_case(np.random.default_rng(7), 0.5)
    query, gallery = case.pop("query"), case.pop("gallery")
    report = evaluate_embeddings(as_set(query, "m"), as_set(gallery, "m"), **case)
    assert report.mean_ap == evaluate_embeddings(query, gallery, **case).mean_ap
    with pytest.raises(InputError, match="come from m, gallery embeddings from other"):
        evaluate_embeddings(as_set(query, "m"), as_set(gallery, "other"), **case)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": np.zeros((15, 8), np.float32)}, "embedding size, must agree"),
        ({"query": np.zeros((15, 32), np.float32)}, "all zeros"),
        ({"query": np.full((15, 32), np.nan, np.float32)}, "15 of 15 Query embeddings contain NaN"),
        ({"query": np.zeros(32, np.float32)}, r"expected \(N, D\)"),
        ({"metric": "manhattan"}, "Metric is 'manhattan'"),
    ],
)
def test_evaluate_embeddings__wrong_input__refused_with_reason(change: dict[str, Any], message: str) -> None:
    case = split_case(np.random.default_rng(8), 0.5)
    with pytest.raises(InputError, match=message):
        evaluate_embeddings(**case | change)


def test_evaluate_embeddings__cancelled__stops_with_cancelled_error() -> None:
    case = split_case(np.random.default_rng(9), 0.5)
    with pytest.raises(CancelledError, match="stopped before it was complete"):
        evaluate_embeddings(**case, should_cancel=lambda: True)


def test_evaluate_blocks__too_few_or_too_wide_blocks__refused() -> None:
    case = valid_case()
    distances = case.pop("distances")
    with pytest.raises(InputError, match="held 1 queries, expected 2"):
        evaluate_blocks(iter([distances[:1]]), num_queries=2, num_gallery=3, **case)
    with pytest.raises(InputError, match=r"starts at query 0 have shape \(3, 3\)"):
        evaluate_blocks(iter([np.zeros((3, 3))]), num_queries=2, num_gallery=3, **case)


def test_single_gallery_shot__many_draws__approaches_expected_rank1() -> None:
    """Match at 0.2; identity 9 has one image closer and one farther: it is ahead in half of the draws."""
    protocol = Protocol(single_gallery_shot=True, repeats=10_000)
    report = evaluate_one_query([0.1, 0.2, 0.3], [9, 1, 9], protocol=protocol)
    assert report.rank1 == pytest.approx(0.5, abs=0.02)
    assert report.cmc[1] == 1.0
    assert report.mean_ap == pytest.approx(0.5)
    assert report.per_query.hits_at(1)[0] == report.rank1


def test_single_gallery_shot__match_drawn_uniformly__each_image_equally_often() -> None:
    protocol = Protocol(single_gallery_shot=True, repeats=9_000)
    report = evaluate_one_query([0.1, 0.2, 0.3, 0.4, 0.5], [1, 8, 1, 9, 1], protocol=protocol)
    shares = [np.mean(report.per_query.shot_ranks == rank) for rank in (1, 2, 3)]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)


def test_single_gallery_shot__same_seed_same_result_other_seed_other_result() -> None:
    case = split_case(np.random.default_rng(10), 2.0)
    first, again, other = (
        evaluate_embeddings(**case, protocol=Protocol(single_gallery_shot=True, seed=seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.per_query.shot_ranks, again.per_query.shot_ranks)
    assert (first.per_query.shot_ranks != other.per_query.shot_ranks).any()


def test_single_gallery_shot__one_image_per_identity__equals_plain_cmc() -> None:
    rng = np.random.default_rng(11)
    case: dict[str, Any] = {
        "distances": rng.random((20, 20)), "query_pids": np.arange(20), "gallery_pids": rng.permutation(20),
        "query_camids": np.zeros(20, int), "gallery_camids": np.ones(20, int),
    }  # fmt: skip
    assert (
        evaluate_ranking(**case, protocol=CUHK03_CLASSIC).cmc.tolist()
        == evaluate_ranking(**case).cmc.tolist()
    )


def test_presets__differ_only_as_documented() -> None:
    assert Protocol() == Protocol(
        "custom", "step", "drop", "keep", "skip", "stable", "drop_same_identity", False
    )
    assert {name: preset.name for name, preset in PROTOCOLS.items()} == {name: name for name in PROTOCOLS}
    assert (MATLAB.ap, MATLAB.unmatched, MATLAB.ties) == ("trapezoid", "zero", "stable")
    assert LAYUMI.ties == "reversed"
    assert Protocol(**MATLAB.to_dict()) == MATLAB


@pytest.mark.parametrize("change", [{"ap": "exact"}, {"ties": "random"}, {"repeats": 0}, {"seed": -1}])
def test_protocol__unknown_choice__refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Protocol"):
        Protocol(**change)


def test_protocol_named__known_or_not__preset_or_refused() -> None:
    assert protocol_named("matlab") is MATLAB
    with pytest.raises(InputError, match="no protocol 'market'; expected one of market1501, torchreid"):
        protocol_named("market")


def test_per_query__to_frame__missing_values_are_na() -> None:
    report = evaluate_ranking(**valid_case() | {"query_pids": [1, 9]})
    frame = report.per_query.to_frame()
    assert frame["query_index"].tolist() == [0, 1]
    assert frame["first_match_rank"].isna().tolist() == [False, True]
    assert frame["best_false_index"].tolist() == [1, 2]
    assert report.per_query["ap"][0] == report.mean_ap
    with pytest.raises(KeyError):
        report.per_query["nonsense"]
