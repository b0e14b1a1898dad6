"""Data sets: readers, manifests, splits and checks. Pixels are read by ``reid_core.images`` alone."""

from reid_core.data.archive import ArchiveLimits, ExtractedArchive, extract_archive
from reid_core.data.check import check_dataset
from reid_core.data.check_report import CheckReport, Finding
from reid_core.data.cuhk03 import extract_cuhk03, read_cuhk03
from reid_core.data.detect import layout_names, open_dataset
from reid_core.data.dukemtmc import read_dukemtmc
from reid_core.data.facts import FACTS, TERMS, compare_with_facts
from reid_core.data.folder import read_by_regex, read_flat_folder, read_identity_folders, read_named_images
from reid_core.data.grid import read_grid
from reid_core.data.manifest import read_manifest, write_manifest
from reid_core.data.market1501 import read_market1501
from reid_core.data.msmt17 import read_msmt17
from reid_core.data.protocols import get_protocol, num_splits, open_protocol, protocol_names
from reid_core.data.splits import (
    QueryGallery,
    check_no_leaks,
    explain_single_camera,
    find_leaks,
    make_query_gallery,
    make_splits,
)
from reid_core.data.viper import read_viper

__all__ = [
    "FACTS",
    "TERMS",
    "ArchiveLimits",
    "CheckReport",
    "ExtractedArchive",
    "Finding",
    "QueryGallery",
    "check_dataset",
    "check_no_leaks",
    "compare_with_facts",
    "explain_single_camera",
    "extract_archive",
    "extract_cuhk03",
    "find_leaks",
    "get_protocol",
    "layout_names",
    "make_query_gallery",
    "make_splits",
    "num_splits",
    "open_dataset",
    "open_protocol",
    "protocol_names",
    "read_by_regex",
    "read_cuhk03",
    "read_dukemtmc",
    "read_flat_folder",
    "read_grid",
    "read_identity_folders",
    "read_manifest",
    "read_market1501",
    "read_msmt17",
    "read_named_images",
    "read_viper",
    "write_manifest",
]
