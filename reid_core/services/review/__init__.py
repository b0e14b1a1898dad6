"""Review of identities: questions, answers, identities, history. What other modules use of it."""

from reid_core.services.review.answers import FLAGGED, check_annotator
from reid_core.services.review.identities import ORDERS, STATES
from reid_core.services.review.pair_states import KnownCrops, PairState
from reid_core.services.review.records import (
    AnnotatorStatistics,
    AnswerResult,
    Change,
    ConflictView,
    CropFace,
    HistoryPage,
    IdentityDetail,
    IdentityFace,
    IdentitySummary,
    LabelState,
    LinkView,
    Outlook,
    QuestionView,
    RateView,
    ReviewState,
    ReviewStatistics,
    SimilarIdentity,
    SinceYouLeft,
    StreamStatistics,
    UndoOutlook,
    Upcoming,
)
from reid_core.services.review.service import ReviewService
from reid_core.services.review.transfer import Imported

__all__ = [
    "FLAGGED",
    "ORDERS",
    "STATES",
    "AnnotatorStatistics",
    "AnswerResult",
    "Change",
    "ConflictView",
    "CropFace",
    "HistoryPage",
    "IdentityDetail",
    "IdentityFace",
    "IdentitySummary",
    "Imported",
    "KnownCrops",
    "LabelState",
    "LinkView",
    "Outlook",
    "PairState",
    "QuestionView",
    "RateView",
    "ReviewService",
    "ReviewState",
    "ReviewStatistics",
    "SimilarIdentity",
    "SinceYouLeft",
    "StreamStatistics",
    "UndoOutlook",
    "Upcoming",
    "check_annotator",
]
