"""An explanation as the browser gets it: maps as packed float32, scales, colours, and what each map means."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_core.explain.records import LAST_MAP, NUM_STREAMS, PLACES, RECEPTIVE_FIELDS, MapChoice
from reid_core.services.explaining import Checks, Explained
from webapp.views.colour_scales import colours_of
from webapp.views.formats import format_similarity

UNITS = {
    "evidence": "cosine per cell (gradient × value)",
    "energy": "mean of gate × activation over channels, in the network's units",
    "absolute": "sum of |activation| over channels, in the network's units",
    "squared": "sum of activation² over channels, in the network's units squared",
}
CAPTIONS = {
    "evidence": (
        "Blue cells raise the cosine of this pair, orange hatched cells lower it: to first order, if what "
        "the stream found there grew. This shows what moved the score, not why two crops show one person; a "
        "network can be right for a wrong reason. Blue and orange nearly balance, because a cosine compares "
        "directions."
    ),
    "energy": (
        "How strongly the gated stream responds in each part of the crop. A bright cell was seen; whether it "
        "mattered for a match, this map cannot say."
    ),
    "last": (
        "How strongly the last map responds in each part of the crop, summed over channels as in the paper's "
        "figure (absolute) or in its published code (squared). It says nothing about any other crop."
    ),
}
NORM_NOTES = {
    "inside": (
        "This block normalises each crop's own contrast (instance norm), which takes any common growth back: "
        "evidence of all streams and cells adds up to zero here, so compare places and streams only."
    ),
    "after": (
        "After this block each crop's own contrast is normalised (instance norm), which takes most of any "
        "common growth back: compare places and streams, not the sums."
    ),
    "none": "",
}


def show_explained(explained: Explained) -> dict[str, Any]:
    """Everything that is drawn of one crop or of a pair; ``docs/explain.md`` describes the shape."""
    explanation = explained.explanation
    norms = {block.name: block.instance_norm for block in explanation.crops[0].blocks}
    return {
        "gallery": explained.gallery,
        "model": explained.model,
        "variant": explained.variant,
        "fingerprint": explained.fingerprint,
        "ids": list(explained.ids),
        "input_size": list(explained.input_size),
        "similarity": explanation.similarity,
        "similarity_text": (
            "" if explanation.similarity is None else format_similarity(explanation.similarity)
        ),
        "streams": [
            {"stream": number, "field": field} for number, field in enumerate(RECEPTIVE_FIELDS, start=1)
        ],
        "places": [_show_place(explained, name, norms.get(name, "none")) for name in PLACES],
        "units": UNITS,
        "captions": CAPTIONS,
        "colours": {kind: _base64(colours_of(kind)) for kind in ("energy", "evidence")},
    }


def show_checks(checks: Checks, choice: MapChoice, *, is_pair: bool) -> dict[str, Any]:
    """Curves, areas and correlations as numbers, with a sentence on each."""
    places = checks.places
    random_deletion = float(np.mean([curve.area for curve in places.random_deletion]))
    random_insertion = float(np.mean([curve.area for curve in places.random_insertion]))
    return {
        "deletion": {
            "fractions": places.deletion.fractions.tolist(),
            "map": places.deletion.similarities.tolist(),
            "random": [curve.similarities.tolist() for curve in places.random_deletion],
            "area": places.deletion.area,
            "random_area": random_deletion,
        },
        "insertion": {
            "fractions": places.insertion.fractions.tolist(),
            "map": places.insertion.similarities.tolist(),
            "random": [curve.similarities.tolist() for curve in places.random_insertion],
            "area": places.insertion.area,
            "random_area": random_insertion,
        },
        "places_verdict": _judge_places(
            random_deletion - places.deletion.area, places.insertion.area - random_insertion, is_pair=is_pair
        ),
        "weights": [{"layer": step.layer, "correlation": step.correlation} for step in checks.weights],
        "weights_verdict": _judge_weights(checks, choice),
        "streams": (
            None
            if checks.streams is None
            else {
                "predicted": checks.streams.predicted.tolist(),
                "measured": checks.streams.measured.tolist(),
            }
        ),
    }


def pack_arrays(explained: Explained) -> bytes:
    """Every number of an explanation as an ``.npz`` without pickle; names such as ``left_conv4.1_energy``."""
    explanation = explained.explanation
    arrays: dict[str, NDArray[Any]] = {
        "ids": np.array(explained.ids),
        "variant": np.array(explained.variant),
        "fingerprint": np.array(explained.fingerprint),
    }
    if explanation.similarity is not None:
        arrays["similarity"] = np.array(explanation.similarity)
    for side, crop in enumerate(explanation.crops):
        name = ("left", "right")[side]
        arrays[f"{name}_embedding"] = crop.vector
        arrays[f"{name}_{LAST_MAP}_absolute"] = crop.absolute
        arrays[f"{name}_{LAST_MAP}_squared"] = crop.squared
        for block in crop.blocks:
            arrays[f"{name}_{block.name}_energy"] = block.energy
            arrays[f"{name}_{block.name}_gates"] = block.gates
            arrays[f"{name}_{block.name}_shares"] = block.shares
        if explanation.evidence:
            for place, stack in zip(PLACES, explanation.evidence[side], strict=True):
                arrays[f"{name}_{place}_evidence"] = stack
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unit_of(choice: MapChoice) -> str:
    """The unit of a map's values."""
    is_absolute = choice.kind == "energy" and choice.block == LAST_MAP
    return UNITS["absolute" if is_absolute else choice.kind]


def name_map(choice: MapChoice) -> str:
    """A map in a few words."""
    what = {"evidence": "evidence", "energy": "gated activation", "squared": "last map, squared"}[choice.kind]
    if choice.block == LAST_MAP:
        return f"{LAST_MAP}, {'last map, absolute' if choice.kind == 'energy' else what}"
    field = "all streams" if choice.stream == 0 else f"stream {choice.stream} ({_field(choice.stream)})"
    return f"{choice.block}, {field}, {what}"


def _show_place(explained: Explained, name: str, instance_norm: str) -> dict[str, Any]:
    explanation = explained.explanation
    is_last = name == LAST_MAP
    kinds = ["energy", *(["squared"] if is_last else []), *(["evidence"] if explanation.evidence else [])]
    crops = []
    for side, crop in enumerate(explanation.crops):
        stacks = {kind: explanation.stack(side, kind, name) for kind in kinds}
        shown: dict[str, Any] = {kind: pack(stack) for kind, stack in stacks.items()}
        if not is_last:
            block = crop.blocks[PLACES.index(name)]
            shown["shares"] = [round(float(share), 5) for share in block.shares]
            shown["gates"] = [round(float(gate), 5) for gate in block.mean_gates]
        if "evidence" in stacks:
            shown["evidence_sums"] = [float(value) for value in stacks["evidence"].sum(axis=(1, 2))]
        crops.append(shown)
    return {
        "name": name,
        "instance_norm": instance_norm,
        "note": NORM_NOTES[instance_norm],
        "num_streams": 1 if is_last else NUM_STREAMS,
        "crops": crops,
        "scales": {
            kind: {
                "all": explanation.scale(MapChoice(kind, name, 0)),
                "stream": explanation.scale(MapChoice(kind, name, 0 if is_last else 1)),
            }
            for kind in kinds
        },
    }


def _judge_places(deletion_gain: float, insertion_gain: float, *, is_pair: bool) -> str:
    """Both gains are areas between curves: above 0 the map beats random orders."""
    what = "the cosine with the other crop" if is_pair else "the cosine with the whole crop"
    gains = f"{deletion_gain:+.3f} when cells are covered, {insertion_gain:+.3f} when they are uncovered"
    if deletion_gain > 0 and insertion_gain > 0:
        return f"This map's order moves {what} faster than random orders do: {gains} (mean over the curve)."
    return (
        f"This map does not beat random orders in both tests: {gains} (above 0 is better than random). Do "
        "not read its places as what decided."
    )


def _judge_weights(checks: Checks, choice: MapChoice) -> str:
    after_first, after_all = checks.weights[0].correlation, checks.weights[-1].correlation
    if after_all is None:
        return "With all weights shuffled the map is flat, so there is nothing to compare."
    if abs(after_all) > 0.7:
        return (
            f"With all weights shuffled the map hardly changes (rank correlation {after_all:.2f}): it shows "
            "the crop more than what the network learned."
        )
    text = f"With all weights shuffled the rank correlation with this map is {after_all:.2f}"
    if choice.kind != "evidence" and after_first is not None and after_first > 0.99:
        return f"{text}. It does not depend on the layers above it, so it cannot say what became of it there."
    return f"{text}: the map depends on what the network learned."


def pack(values: NDArray[np.float32]) -> dict[str, Any]:
    """An array as JSON can hold it: its shape, and its little-endian float32 bytes in base64."""
    return {"shape": list(values.shape), "data": _base64(values.astype("<f4"))}


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _field(stream: int) -> str:
    size = RECEPTIVE_FIELDS[stream - 1]
    return f"{size} × {size}"
