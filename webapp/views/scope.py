"""Gallery and model of the page: what can be chosen and what is chosen now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reid_core.services import GalleryInfo, ModelInfo
from webapp.views.formats import format_count


class Catalogue(Protocol):
    """What can be chosen."""

    def models(self) -> tuple[ModelInfo, ...]: ...
    def galleries(self) -> tuple[GalleryInfo, ...]: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a selector."""

    name: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The selectors of the header. A chosen name that does not exist stays, so that the error can name it."""

    galleries: tuple[Choice, ...]
    models: tuple[Choice, ...]
    gallery: str
    model: str


def show_scope(catalogue: Catalogue, gallery: str, model: str) -> Scope:
    """Selectors for all pages; empty names stand for the defaults."""
    galleries, models = catalogue.galleries(), catalogue.models()
    return Scope(
        galleries=tuple(Choice(g.name, g.title, format_count(g.num_images, "image")) for g in galleries),
        models=tuple(Choice(m.name, m.name, _model_detail(m)) for m in models),
        gallery=gallery or next((g.name for g in galleries if g.is_default), ""),
        model=model or next((m.name for m in models if m.is_default), ""),
    )


def current_gallery(galleries: Sequence[GalleryInfo], name: str) -> GalleryInfo | None:
    """The gallery of that name, the default one for an empty name, ``None`` if there is no such gallery."""
    return next((g for g in galleries if (g.name == name if name else g.is_default)), None)


def _model_detail(model: ModelInfo) -> str:
    height, width = model.input_size
    size = f"{model.num_parameters / 1e6:.2f} M parameters" if model.num_parameters else ""
    return ", ".join(part for part in (model.variant, size, f"{height} × {width}" if height else "") if part)
