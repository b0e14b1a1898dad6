"""Training: recipes, losses, the loop, and the folder of a run."""

from reid_core.training.config import Stage, TrainConfig
from reid_core.training.correction_set import CorrectionSet, read_correction_set
from reid_core.training.corrections import Candidate, load_served, retrain
from reid_core.training.crops import AttributeTargets, TrainingCrops, load_crops
from reid_core.training.engine import Trainer
from reid_core.training.losses import (
    batch_hard_triplet_loss,
    categorical_attribute_loss,
    contrastive_loss,
    identity_loss,
    real_attribute_loss,
)
from reid_core.training.recipes import RECIPES, get_recipe
from reid_core.training.runs import RunFolder
from reid_core.training.state import StartingPoint

__all__ = [
    "RECIPES",
    "AttributeTargets",
    "Candidate",
    "CorrectionSet",
    "RunFolder",
    "Stage",
    "StartingPoint",
    "TrainConfig",
    "Trainer",
    "TrainingCrops",
    "batch_hard_triplet_loss",
    "categorical_attribute_loss",
    "contrastive_loss",
    "get_recipe",
    "identity_loss",
    "load_crops",
    "load_served",
    "read_correction_set",
    "real_attribute_loss",
    "retrain",
]
