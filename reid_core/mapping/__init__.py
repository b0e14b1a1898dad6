"""Two-dimensional maps of embeddings: PCA, UMAP, aligned maps of two networks, places for new points."""

from reid_core.mapping.alignment import align, aligned_umap_layout, mean_displacement
from reid_core.mapping.layout_file import LayoutFile, read_layout, write_layout
from reid_core.mapping.layouts import MAX_NEIGHBOURS, Metric, UmapParameters, pca_layout, umap_layout
from reid_core.mapping.neighbours import NeighbourGraph, find_neighbours
from reid_core.mapping.placement import place
from reid_core.mapping.polygons import MAX_CORNERS, inside_polygon

__all__ = [
    "MAX_CORNERS",
    "MAX_NEIGHBOURS",
    "LayoutFile",
    "Metric",
    "NeighbourGraph",
    "UmapParameters",
    "align",
    "aligned_umap_layout",
    "find_neighbours",
    "inside_polygon",
    "mean_displacement",
    "pca_layout",
    "place",
    "read_layout",
    "umap_layout",
    "write_layout",
]
