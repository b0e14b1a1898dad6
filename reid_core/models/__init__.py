"""OSNet, its weights, and the way from images to embeddings."""

from reid_core.models.checkpoints import LoadedWeights, LoadReport, load_weights, save_weights
from reid_core.models.embedder import Embedder
from reid_core.models.osnet import VARIANTS, NetworkTrace, OSNet, StreamTrace, TrainOutput, build_osnet
from reid_core.models.preprocessing import TORCHREID_PREPROCESSING, Preprocessing
from reid_core.models.weights import WeightSpec, fingerprint

__all__ = [
    "TORCHREID_PREPROCESSING",
    "VARIANTS",
    "Embedder",
    "LoadReport",
    "LoadedWeights",
    "NetworkTrace",
    "OSNet",
    "Preprocessing",
    "StreamTrace",
    "TrainOutput",
    "WeightSpec",
    "build_osnet",
    "fingerprint",
    "load_weights",
    "save_weights",
]
