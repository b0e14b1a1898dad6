"""Published OSNet weights that are known by name: where they lie and what they are.

Everything here was compiled from public sources: Torchreid's model zoo (file names, recipes, distances),
code that uses the Hugging Face repository (its revision), and digests that others pinned. Where no public
digest was found, ``sha256`` is ``None`` and ``hub.fetch_known_weights`` goes by the digest of the first
download instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from reid_core.errors import InputError
from reid_core.models.osnet import Family, find_architecture
from reid_core.models.weights import WeightSpec

HUB_REPOSITORY = "kaiyangzhou/osnet"
HUB_REVISION = "a5c5cc037c24235cda3b21085b93ad77c9616224"
"""The commit that others pin, not ``main``: a name must not change its meaning."""

RESEARCH_ONLY = (
    "Research use only, as their author asks because of the training data (deep-person-reid issue 520); "
    "the code is MIT."
)
_MSMT17 = "MSMT17, all 4,101 identities"
_IMAGENET = "ImageNet-1k (no people re-identified: for training from, not for matching)"
_STEP_RECIPE = (
    "AMSGrad, lr 0.0015, 150 epochs, x0.1 every 60, batch 64, classifier alone for 10 epochs, "
    "cross-entropy with label smoothing, flip, colour jitter"
)
_AIN_RECIPE = (
    "AMSGrad, lr 0.0015, cosine over 50 epochs, batch 64, classifier alone for 10 epochs, cross-entropy "
    "with label smoothing, flip, colour jitter"
)


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """One entry: what the weights are, and the file that holds them.

    ``size_bytes`` and ``sha256`` are ``None`` where no public source states them. ``note`` says what is
    doubtful.
    """

    spec: WeightSpec
    filename: str
    size_bytes: int | None = None
    sha256: str | None = None
    note: str = ""
    repository: str = HUB_REPOSITORY
    revision: str = HUB_REVISION

    @property
    def name(self) -> str:
        """What a person calls it: ``osnet_ain_x1_0@msmt17``."""
        return self.spec.name

    @property
    def is_for_reid(self) -> bool:
        """Whether it was trained to tell people apart."""
        return self.spec.purpose == "reid"


_UNLISTED = "That the repository holds this file is inferred from its size and the zoo's list."
_MIRRORED = "The digest is that of a mirror of the author's file."


def _msmt17(
    variant: str, *, size_bytes: int | None = None, sha256: str | None = None, note: str = ""
) -> KnownWeights:
    is_ain = find_architecture(variant).family == "ain"
    spec = WeightSpec(
        name=f"{variant}@msmt17",
        variant=variant,
        training_set=_MSMT17,
        num_classes=4101,
        recipe=_AIN_RECIPE if is_ain else _STEP_RECIPE,
        distance="cosine" if is_ain else "euclidean",
        licence=RESEARCH_ONLY,
    )
    schedule = (
        "msmt17_256x128_amsgrad_ep50_lr0.0015_coslr_b64_fb10_softmax_labsmth"
        if is_ain
        else "msmt17_combineall_256x128_amsgrad_ep150_stp60_lr0.0015_b64_fb10_softmax_labelsmooth"
    )
    filename = f"{variant}_{schedule}_flip_jitter.pth"
    return KnownWeights(spec, filename, size_bytes, sha256, note)


def _imagenet(
    variant: str, *, size_bytes: int | None = None, sha256: str | None = None, note: str = _UNLISTED
) -> KnownWeights:
    family: Family = find_architecture(variant).family
    suffix = "pyth" if family == "ain" and variant != "osnet_ain_x1_0" else "pth"
    spec = WeightSpec(
        name=f"{variant}@imagenet",
        variant=variant,
        training_set=_IMAGENET,
        num_classes=1000,
        purpose="imagenet",
        licence=RESEARCH_ONLY,
    )
    return KnownWeights(spec, f"{variant}_imagenet.{suffix}", size_bytes, sha256, note)


KNOWN_WEIGHTS = {
    known.name: known
    for known in (
        _msmt17(
            "osnet_ain_x1_0",
            size_bytes=17_293_009,
            sha256="8a07e8da38946f7cee37f4561617bf8b6d2fe8f3a4027852893ea092e46d919f",
        ),
        _msmt17("osnet_ibn_x1_0", note=_UNLISTED),
        _msmt17("osnet_x1_0"),
        _msmt17("osnet_x0_75", note=_UNLISTED),
        _msmt17("osnet_x0_5"),
        _msmt17(
            "osnet_x0_25",
            size_bytes=9_336_983,
            sha256="cf55163d78fc44c62c82f85ab62d39f10438679b5abe8c698ae08cfa84aa6e18",
        ),
        _imagenet("osnet_x1_0", note=""),
        _imagenet("osnet_x0_75"),
        _imagenet(
            "osnet_x0_5",
            size_bytes=4_708_515,
            sha256="f10ea9e26ee55b1a65cee3c6e88aa1ae105fe981af3e37692fa68a72fc64bf8e",
            note=_MIRRORED,
        ),
        _imagenet(
            "osnet_x0_25",
            size_bytes=2_973_731,
            sha256="f54941a66bad4ddd07f2907f498c810ce639ce7a1abeaf2a151f8da118d84693",
            note=_MIRRORED,
        ),
        _imagenet("osnet_ibn_x1_0"),
        _imagenet("osnet_ain_x1_0"),
        _imagenet("osnet_ain_x0_75"),
        _imagenet("osnet_ain_x0_5"),
        _imagenet("osnet_ain_x0_25"),
    )
}
"""All known weights by name, the best for unseen cameras first."""


def find_known_weights(name: str) -> KnownWeights:
    """The entry of a name.

    Raises:
        InputError: No such name.
    """
    if name not in KNOWN_WEIGHTS:
        raise InputError(f"There are no known weights {name!r}; expected one of {', '.join(KNOWN_WEIGHTS)}.")
    return KNOWN_WEIGHTS[name]
