"""What pages, routes and commands use: the Workbench and the records it hands out."""

from reid_core.services.open_galleries import OpenGallery
from reid_core.services.records import (
    FEEDBACK,
    MAX_K,
    UPLOAD_PREFIX,
    AbsenceView,
    FeedbackView,
    GalleryInfo,
    HitView,
    JobState,
    JobView,
    ModelInfo,
    QueryView,
    SearchRequest,
    SearchResult,
    Verdict,
)
from reid_core.services.uploads import Box
from reid_core.services.workbench import Workbench

__all__ = [
    "FEEDBACK",
    "AbsenceView",
    "FeedbackView",
    "MAX_K",
    "UPLOAD_PREFIX",
    "Box",
    "GalleryInfo",
    "HitView",
    "JobState",
    "JobView",
    "ModelInfo",
    "OpenGallery",
    "QueryView",
    "SearchRequest",
    "SearchResult",
    "Verdict",
    "Workbench",
]
