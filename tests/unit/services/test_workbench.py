from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from reid_core.errors import ImageReadError, InputError
from reid_core.services import SearchRequest, Workbench
from tests.service_fakes import (
    import_and_wait,
    make_workbench,
    person_image,
    wait_until_over,
    write_market,
)

Start = Callable[..., Workbench]


def test_store_upload__exif_and_box__turned_cut_and_stripped(workbench: Workbench) -> None:
    photo = Image.new("RGB", (60, 200), "red")
    photo.paste((0, 0, 255), (0, 0, 60, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright: blue ends up on the right
    exif[0x010E] = "secret"
    buffer = io.BytesIO()
    photo.save(buffer, format="JPEG", exif=exif, quality=95)
    stored = workbench.store_upload(buffer.getvalue(), box=(100, 0, 200, 60))
    assert (stored.width, stored.height) == (100, 60)
    content = workbench.image_bytes("", stored.id)
    assert b"secret" not in content
    with Image.open(io.BytesIO(content)) as image:
        assert not image.getexif()
        red, _, blue = image.convert("RGB").getpixel((50, 30))  # type: ignore[misc]
    assert blue > 240
    assert red < 20


@pytest.mark.parametrize("box", [(0, 0, 3, 60), (500, 0, 600, 60), (30, 30, 10, 60)])
def test_store_upload__box_without_a_person_in_it__refused(
    workbench: Workbench, box: tuple[float, float, float, float]
) -> None:
    with pytest.raises(ImageReadError, match="Draw it around one person"):
        workbench.store_upload(person_image(1, 1, size=(100, 200)), box=box)
    with pytest.raises(InputError, match="not four numbers"):
        workbench.store_upload(person_image(1, 1), box=(float("nan"), 0, 1, 1))


def test_store_upload__not_an_image_or_tiny__refused(workbench: Workbench) -> None:
    with pytest.raises(ImageReadError, match="could not be read as an image"):
        workbench.store_upload(b"GIF89a nonsense")
    with pytest.raises(ImageReadError, match="4 x 4 pixels"):
        workbench.store_upload(Image.new("RGB", (4, 4)))


def test_models__before_and_after_loading__default_first(start: Start) -> None:
    opened = start(extra_weights="other")
    assert [(model.name, model.is_default) for model in opened.models()] == [
        ("demo", True),
        ("other", False),
    ]
    for job in opened.jobs():
        wait_until_over(opened, job.id)
    assert opened.models()[0].fingerprint == "colour-1"


def test_models__path__goes_by_its_file_name_only(tmp_path: Path) -> None:
    opened = make_workbench(tmp_path, weights="/secret place/my net.pth", extra_weights="/other/my net.pth")
    assert [model.name for model in opened.models()] == ["my-net", "my-net-2"]


def test_remove_gallery__referenced_folder__files_stay_all_else_goes(
    workbench: Workbench, tmp_path: Path
) -> None:
    other = write_market(tmp_path / "other", num_people=8)
    name = import_and_wait(workbench, other)
    hit = workbench.search(SearchRequest("query/0001_c1s1_000001_00.jpg", gallery=name, k=1)).hits[0]
    workbench.image_bytes(name, hit.id, max_height=96)
    workbench.remove_gallery(name)
    assert len(list(other.rglob("*.jpg"))) > 20
    assert [gallery.name for gallery in workbench.galleries()] == ["market"]
    assert len(list((tmp_path / "data" / "embeddings").rglob("*.npz"))) == 1
    assert not list((tmp_path / "data" / "cache" / "thumbnails").rglob("*.jpg"))
    with pytest.raises(InputError, match=f"no gallery '{name}'"):
        workbench.search(SearchRequest("query/0001_c1s1_000001_00.jpg", gallery=name))


def test_clear_stale_staging__folder_vanishes_meanwhile__start_goes_on(start: Start, tmp_path: Path) -> None:
    staging = tmp_path / "data" / "galleries" / ".staging"
    staging.mkdir(parents=True)
    (staging / "gone").symlink_to(tmp_path / "nowhere")  # listed, but there is nothing to look at
    assert start().jobs()
