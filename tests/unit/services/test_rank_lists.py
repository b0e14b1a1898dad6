"""Reports and strips: whole, readable, and harmless whatever the ids are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from reid_core.errors import ImageReadError, InputError
from reid_core.services import Workbench
from reid_core.services.evaluations import OpenRun
from reid_core.services.evaluations.rank_list import write_report
from reid_core.services.evaluations.store import RunImage
from reid_core.services.evaluations.strips import COLOURS, StripCell, draw_strip
from tests.evaluation_bench import open_bench, run
from tests.service_fakes import write_market

HOSTILE = '<img src=x onerror="alert(1)">${7*7}.jpg'


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("lists")
    with open_bench(folder, write_market(folder / "market", num_people=4)) as workbench:
        yield workbench


@pytest.fixture(scope="module")
def opened(bench: Workbench) -> OpenRun:
    return bench.evaluations.open(run(bench).id)


def jpeg(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 90), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def test_report__hostile_ids_titles_and_comments__escaped(opened: OpenRun) -> None:
    queries = tuple(replace(image, id=f"{n}{HOSTILE}") for n, image in enumerate(opened.queries))
    images = tuple(replace(image, id=f"g{n}{HOSTILE}") for n, image in enumerate(opened.images))
    info = replace(opened.info, title=HOSTILE, comment=HOSTILE, gallery_title=HOSTILE)
    hostile = replace(opened, info=info, queries=queries, images=images)
    page = write_report(hostile, [0, 1], {}, lambda image: jpeg(), k=5, caption=lambda d: f"{d:.2f}")
    assert "<img src=x" not in page
    assert 'onerror="alert' not in page
    assert page.count("&lt;img src=x") > 10
    assert "<script" not in page
    assert page.count("<section>") == 2
    assert page.count("data:image/jpeg;base64,") == 2 * (1 + 5)


def test_report__worst_queries__self_contained_with_marks(bench: Workbench, opened: OpenRun) -> None:
    page = bench.evaluations.report(opened, [0], k=12)
    assert "http" not in page.replace("http-equiv", "")
    assert "✓" in page
    assert "true match" in page
    assert "mAP" in page


def test_report__picture_gone__box_says_so(opened: OpenRun) -> None:
    def read(image: RunImage) -> bytes:
        raise ImageReadError("gone")

    page = write_report(opened, [0], {}, read, k=2, caption=str)
    assert page.count("picture not readable") == 3


def test_report__no_query__refused(bench: Workbench, opened: OpenRun) -> None:
    with pytest.raises(InputError, match="expected 1 to 300"):
        bench.evaluations.report(opened, [])


def test_strip__query_and_matches__size_borders_and_letterbox(opened: OpenRun) -> None:
    image = opened.queries[0]
    cells = [
        StripCell(image, "query", "query"),
        StripCell(image, "true", "0.91"),
        StripCell(image, "false", "0.80"),
    ]
    picture = Image.open(io.BytesIO(draw_strip(cells, lambda _: jpeg("white"), scale=2)))
    cell, gap = (64 + 6) * 2, 12
    assert picture.size == (3 * cell + 3 * gap, (128 + 6 + 18) * 2)
    lefts = [0, cell + 2 * gap, 2 * cell + 3 * gap]
    for left, verdict in zip(lefts, ("query", "true", "false"), strict=True):
        assert "#{:02x}{:02x}{:02x}".format(*picture.getpixel((left + 1, 100))) == COLOURS[verdict].lower()
    middle = picture.getpixel((lefts[1] + cell // 2, 134))
    assert middle == pytest.approx((255, 255, 255), abs=3)
    marks = (
        picture.crop((lefts[1] + cell - 30, 0, lefts[1] + cell, 30)),
        picture.crop((lefts[2] + cell - 30, 0, lefts[2] + cell, 30)),
    )
    first, second = (np.asarray(mark).min(axis=2) == 255 for mark in marks)
    assert (first != second).any()  # told apart without any colour


def test_strip__without_junk__only_what_counts(bench: Workbench, opened: OpenRun) -> None:
    with_junk = bench.evaluations.strip(opened, [0], k=20, scale=1)
    without = bench.evaluations.strip(opened, [0], k=20, scale=1, shows_junk=False)
    widths = [Image.open(io.BytesIO(content)).width for content in (with_junk, without)]
    assert widths[0] - widths[1] == 2 * (70 + 6)  # the query's own camera and the junk box
    two = bench.evaluations.strip(opened, [0, 1], k=3, scale=1)
    assert Image.open(io.BytesIO(two)).height == 2 * 152 + 8


def test_strip__out_of_range__refused(bench: Workbench, opened: OpenRun) -> None:
    for rows, k, scale in (([], 5, 1), ([0], 21, 1), ([0], 5, 9)):
        with pytest.raises(InputError, match="expected 1 to 50"):
            bench.evaluations.strip(opened, rows, k=k, scale=scale)


def test_query_csv__formula_in_an_id__quoted(bench: Workbench, opened: OpenRun) -> None:
    hostile = replace(opened, queries=(replace(opened.queries[0], id="=1+1.jpg"), *opened.queries[1:]))
    lines = bench.evaluations.query_csv(hostile, [0]).splitlines()
    assert lines[0].startswith("image_id,pid,camid,ap")
    assert lines[1].startswith("'=1+1.jpg")
