"""What the views of the Retrain page share: the services they need, pictures of crops, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from reid_core.services import GalleryInfo
from reid_core.services.retraining import Retraining

_CROP = "gradio_api/reid/v1/retraining/crop"


class Workbench(Protocol):
    """All that this page needs of the services."""

    @property
    def retraining(self) -> Retraining: ...
    def galleries(self) -> tuple[GalleryInfo, ...]: ...


@dataclass(frozen=True, slots=True)
class CropPicture:
    """A crop with the address of its picture."""

    id: str
    image_url: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """A number with what it counts."""

    title: str
    value: str
    note: str = ""


def crop_picture(gallery: str, crop: str, caption: str = "") -> CropPicture:
    """A crop of any pool; its id travels as a parameter, never as a path."""
    return CropPicture(crop, f"{_CROP}?{urlencode({'gallery': gallery, 'id': crop})}", caption)


def gallery_of(workbench: Workbench, params: Mapping[str, object]) -> GalleryInfo | None:
    """The gallery of an address, or the default one; None where there is none of that name."""
    wanted = str(params.get("g") or "")
    return next((info for info in workbench.galleries() if not wanted or info.name == wanted), None)
