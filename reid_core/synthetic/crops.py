"""Render the planned crops of a city, each one from its own random stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reid_core.errors import InputError
from reid_core.seeds import rng_for
from reid_core.synthetic.attributes import REAL_ATTRIBUTES, attribute_labels
from reid_core.synthetic.camera import (
    Placement,
    Shot,
    ShotOptions,
    find_placement,
    take_empty_shot,
    take_shot,
    walk_on,
)
from reid_core.synthetic.city import City, CropPlan
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.scene import Scene
from reid_core.synthetic.sensor import randomised_response
from reid_core.synthetic.worlds import CameraSpec

ManifestValue = str | int | float | bool

MANIFEST_COLUMNS = (
    "path",
    "split",
    "pid",
    "camid",
    "time_s",
    "family",
    "height_px",
    "visible_fraction",
    "yaw_deg",
    "truncated",
    "occluded",
    "scene",
    "time_of_day",
    "framing",
    "mask",
)
"""Columns of the manifest before those of the attributes; ``mask`` is empty where none was written."""

_ATTEMPTS = 14
_FRESH_PLACES = 4
"""After so many failed attempts a later crop of a visit no longer continues the walk of the first."""
_SPEED = 1.3
"""Metres that a person walks in a second."""


@dataclass
class CropRenderer:
    """Renders crops of one city and keeps the scenes it has needed."""

    city: City
    load: Callable[[CameraSpec], Scene]
    """Gives the scene of a camera: rendered anew, or read from where another process left it."""
    _scenes: dict[int, Scene] = field(default_factory=dict, init=False)
    _crowd: list[Identity] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._crowd = self.city.crowd()

    def render(self, crop: CropPlan) -> Shot | None:
        """The crop, or None where the person cannot be seen from that camera in any of several attempts.

        Raises:
            InputError: The crop is of a camera that the city does not have.
        """
        if not 1 <= crop.camid <= len(self.city.cameras):
            raise InputError(f"There is no camera {crop.camid}; the city has 1 to {len(self.city.cameras)}.")
        for attempt in range(_ATTEMPTS):
            shot = self._attempt(crop, attempt)
            if shot is not None:
                return shot
        return None

    def manifest_row(self, crop: CropPlan, shot: Shot) -> dict[str, ManifestValue]:
        """What the manifest says about a crop; attributes only of a box that holds one known person."""
        person = self.city.people[crop.person]
        scene = self.city.cameras[crop.camid - 1].scene
        is_person = crop.framing == "person"
        row: dict[str, ManifestValue] = {
            "path": crop.path,
            "split": crop.split,
            "pid": crop.pid,
            "camid": crop.camid,
            "time_s": round(crop.time_s, 2),
            "family": person.family if is_person else 0,
            "height_px": round(shot.box.height),
            "visible_fraction": round(shot.visible_fraction, 3),
            "yaw_deg": round(shot.yaw_deg),
            "truncated": int(shot.is_truncated),
            "occluded": int(shot.is_occluded),
            "scene": scene.kind,
            "time_of_day": scene.time_of_day,
            "framing": crop.framing,
            "mask": "",
        }
        row.update(_attribute_columns(person.identity) if is_person else {})
        return row

    def _attempt(self, crop: CropPlan, attempt: int) -> Shot | None:
        city, camera = self.city, self.city.cameras[crop.camid - 1]
        scene = self._scene(crop.camid)
        rng = rng_for(city.seed, city.world.name, *_key(crop), "crop", crop.step, attempt)
        is_randomised = rng.random() < city.world.own_response_share
        response = randomised_response(rng) if is_randomised else camera.response
        if crop.framing == "background":
            return take_empty_shot(scene, response, camera.options, rng)
        placement = self._placement(crop, scene, camera.options, attempt)
        if placement is None:
            return None
        return take_shot(
            scene,
            response,
            city.people[crop.person].identity,
            placement,
            self._crowd,
            camera.options,
            rng,
            framing=crop.framing,
            backdrops=self._backdrops(crop, camera.options),
        )

    def _placement(
        self, crop: CropPlan, scene: Scene, options: ShotOptions, attempt: int
    ) -> Placement | None:
        """Where the person stands: later crops of a visit continue the walk of the first, if they can."""
        is_walking = attempt < _FRESH_PLACES
        start = ("walk", attempt) if is_walking else ("place", crop.step, attempt)
        rng = rng_for(self.city.seed, self.city.world.name, *_key(crop), *start)
        placement = find_placement(scene, rng, options)
        for _ in range(crop.step if is_walking else 0):
            if placement is None:
                return None
            metres = float(rng.uniform(0.4, 1.6)) * _SPEED
            placement = walk_on(scene, placement, metres, rng, options)
        return placement

    def _backdrops(self, crop: CropPlan, options: ShotOptions) -> Sequence[Scene]:
        """Some other cameras' scenes, chosen by the crop."""
        if options.backdrop_share <= 0:
            return ()
        rng = rng_for(self.city.seed, self.city.world.name, *_key(crop), "backdrops")
        return [self._scene(int(camid)) for camid in rng.integers(1, len(self.city.cameras) + 1, 3)]

    def _scene(self, camid: int) -> Scene:
        if camid not in self._scenes:
            self._scenes[camid] = self.load(self.city.cameras[camid - 1])
        return self._scenes[camid]


def _attribute_columns(identity: Identity) -> dict[str, ManifestValue]:
    """Labels in words, then numbers; a number that does not apply (a bag's colour without a bag) is empty."""
    numbers: dict[str, ManifestValue] = {
        attribute.name: round(attribute.read(identity), 3) if attribute.applies(identity) else ""
        for attribute in REAL_ATTRIBUTES
    }
    return {**attribute_labels(identity), **numbers}


def _key(crop: CropPlan) -> tuple[str | int, ...]:
    return crop.pid, crop.person, crop.camid, crop.visit, crop.framing
