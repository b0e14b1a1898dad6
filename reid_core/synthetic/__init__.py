"""The synthetic city: computed people, scenes and cameras, for a gallery that shows nobody real.

From a person to a folder of crops: ``identity`` and ``wardrobe`` draw who somebody is, ``body`` builds them,
``render`` draws them over a ``scene``'s plate, ``camera`` and ``sensor`` make a crop of it, ``city`` plans
who is seen where, ``render_run`` renders that plan.
"""

from reid_core.synthetic.attributes import (
    CATEGORICAL_ATTRIBUTES,
    REAL_ATTRIBUTES,
    attribute_labels,
    categorical_table,
    real_table,
)
from reid_core.synthetic.camera import Shot, ShotOptions
from reid_core.synthetic.city import SHIPPED_COUNTS, City, CityCounts, CropPlan, plan_city
from reid_core.synthetic.crops import CropRenderer
from reid_core.synthetic.identity import Identity, sample_identity, vary_identity
from reid_core.synthetic.render_run import RenderProgress, RenderSettings, render_city
from reid_core.synthetic.scene import Scene, SceneSpec, build_scene
from reid_core.synthetic.sensor import CameraResponse
from reid_core.synthetic.worlds import DEMO, TRAINING, World, world_named

__all__ = [
    "CATEGORICAL_ATTRIBUTES",
    "DEMO",
    "REAL_ATTRIBUTES",
    "SHIPPED_COUNTS",
    "TRAINING",
    "CameraResponse",
    "City",
    "CityCounts",
    "CropPlan",
    "CropRenderer",
    "Identity",
    "RenderProgress",
    "RenderSettings",
    "Scene",
    "SceneSpec",
    "Shot",
    "ShotOptions",
    "World",
    "attribute_labels",
    "build_scene",
    "categorical_table",
    "plan_city",
    "real_table",
    "render_city",
    "sample_identity",
    "vary_identity",
    "world_named",
]
