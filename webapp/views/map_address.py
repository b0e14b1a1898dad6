"""What the address bar of the Map page holds: read it, check it, write it in one canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reid_core.errors import InputError
from reid_core.services.maps import MapRequest, UmapParameters

DEFAULT_COLOUR = "identity"
_METRICS = ("cosine", "euclidean")


@dataclass(frozen=True, slots=True)
class MapAddress:
    """The state of the Map page, and what had to be set right in it.

    ``point`` is the crop in focus, ``selection`` a key, ``compare`` the model to compare with.
    """

    gallery: str = ""
    model: str = ""
    query_id: str = ""
    point: str = ""
    selection: str = ""
    colour: str = DEFAULT_COLOUR
    is_pca: bool = False
    parameters: UmapParameters = field(default_factory=UmapParameters)
    compare: str = ""
    problems: tuple[str, ...] = ()

    def request(self) -> MapRequest:
        """The map that the address asks for."""
        return MapRequest(self.gallery, self.model, "pca" if self.is_pca else "umap", self.parameters)

    def compared(self, base_model: str) -> MapRequest:
        """The other model's map, aligned to that of ``base_model``."""
        return MapRequest(self.gallery, self.compare, "umap", self.parameters, aligned_to=base_model)

    def params(self) -> dict[str, str]:
        """Canonical address parameters; what has its default value is left out."""
        default, p = UmapParameters(), self.parameters
        values = {
            "q": self.query_id,
            "point": self.point,
            "sel": self.selection,
            "g": self.gallery,
            "m": self.model,
            "color": "" if self.colour == DEFAULT_COLOUR else self.colour,
            "layout": "pca" if self.is_pca else "",
            "n": "" if p.num_neighbours == default.num_neighbours else str(p.num_neighbours),
            "d": "" if p.min_dist == default.min_dist else f"{p.min_dist:g}",
            "seed": "" if p.seed == default.seed else str(p.seed),
            "metric": "" if p.metric == default.metric else p.metric,
            "with": self.compare,
        }
        return {name: value for name, value in values.items() if value}


def read_map_address(params: Mapping[str, object]) -> MapAddress:
    """Read address parameters. A value that makes no sense is named in ``problems``, never guessed."""
    problems: list[str] = []
    words = {name: str(value).strip() for name, value in params.items() if value is not None}
    layout = words.get("layout", "")
    if layout not in ("", "pca", "umap"):
        problems.append(f"The link asks for the layout {layout[:20]!r}; expected pca or umap. UMAP is shown.")
    is_pca = layout == "pca"
    compare = words.get("with", "")
    if is_pca and compare:
        problems.append("Models are compared on UMAP maps only; the comparison was left out.")
        compare = ""
    return MapAddress(
        gallery=words.get("g", ""),
        model=words.get("m", ""),
        query_id=words.get("q", ""),
        point=words.get("point", ""),
        selection=words.get("sel", ""),
        colour=words.get("color", "") or DEFAULT_COLOUR,
        is_pca=is_pca,
        parameters=_read_parameters(words, problems),
        compare=compare,
        problems=tuple(problems),
    )


def _read_parameters(words: Mapping[str, str], problems: list[str]) -> UmapParameters:
    parameters = UmapParameters()
    for name, attribute, convert in (
        ("n", "num_neighbours", int),
        ("d", "min_dist", float),
        ("seed", "seed", int),
        ("metric", "metric", str),
    ):
        text = words.get(name, "")
        if not text:
            continue
        try:
            parameters = replace(parameters, **{attribute: convert(text)})  # type: ignore[arg-type]
        except InputError as error:
            problems.append(f"{error} The default was taken.")
        except ValueError:
            problems.append(f"The link's {name}={text[:20]!r} is not a number; the default was taken.")
    return parameters
