"""Maps of galleries for the Map page: layouts, columns to colour by, selections."""

from reid_core.mapping import MAX_NEIGHBOURS, UmapParameters
from reid_core.services.maps.columns import (
    NOT_KNOWN,
    Categories,
    ColumnInfo,
    Content,
    Numbers,
    Provider,
    categories_of,
)
from reid_core.services.maps.joined_columns import average_precision, gate_clusters, label_state
from reid_core.services.maps.records import CropFacts, MapLayout, MapRequest, SelectionView
from reid_core.services.maps.selecting import Combine, Gesture
from reid_core.services.maps.service import MapService

__all__ = [
    "MAX_NEIGHBOURS",
    "NOT_KNOWN",
    "Categories",
    "ColumnInfo",
    "Combine",
    "Content",
    "CropFacts",
    "Gesture",
    "MapLayout",
    "MapRequest",
    "MapService",
    "Numbers",
    "Provider",
    "SelectionView",
    "UmapParameters",
    "categories_of",
    "average_precision",
    "gate_clusters",
    "label_state",
]
