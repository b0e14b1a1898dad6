"""The learning loop behind the Retrain page: ``workbench.retraining``."""

from reid_core.services.retraining.judgements import Judgements, StoredJudgements
from reid_core.services.retraining.service import Retraining

__all__ = ["Judgements", "Retraining", "StoredJudgements"]
