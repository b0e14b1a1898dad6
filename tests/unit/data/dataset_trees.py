"""Miniature data sets of noise, named and laid out like the real ones. No picture shows a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from PIL import Image

CUHK03_PEOPLE = {1: 4, 2: 2}
"""Camera pair to the number of people in the miniature CUHK03."""
CUHK03_TEST_SETS = [[(1, 2), (2, 1)], [(1, 1), (1, 3)]]
"""The miniature's classic test sets, as (camera pair, person)."""


def draw(path: Path, *, seed: int = 0, size: tuple[int, int] = (16, 32), **save_options: Any) -> Path:
    """Save an image of coarse noise; equal seeds give equal pixels. ``size`` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 256, (8, 4, 3), dtype=np.uint8)
    Image.fromarray(cells).resize(size).save(path, **save_options)
    return path


def draw_all(root: Path, names: Iterable[str]) -> Path:
    """Draw every named file, each with other pixels."""
    for seed, name in enumerate(names):
        draw(root / name, seed=seed)
    return root


def market(root: Path, *, train: str = "bounding_box_train", gallery: str = "bounding_box_test") -> Path:
    """Two people train; two are searched among 4 true images, a distractor, a junk. Query 4 has no match."""
    return draw_all(
        root,
        [
            f"{train}/0002_c1s1_000451_03.jpg",
            f"{train}/0002_c2s1_000476_01.jpg",
            f"{train}/0007_c3s2_000100_01.jpg",
            "query/0001_c1s1_001051_00.jpg",
            "query/0004_c6s4_001902_00.jpg",
            f"{gallery}/-1_c1s1_000401_03.jpg",
            f"{gallery}/0000_c1s1_000151_01.jpg",
            f"{gallery}/0001_c1s1_001076_00.jpg",
            f"{gallery}/0001_c2s1_000301_00.jpg",
            f"{gallery}/0001_c3s1_000551_00.jpg",
            f"{gallery}/0004_c6s4_001927_00.jpg",
        ],
    )


def duke(root: Path) -> Path:
    return draw_all(
        root,
        [
            "bounding_box_train/0001_c2_f0046182.jpg",
            "bounding_box_train/0001_c5_f0051341.jpg",
            "query/0005_c2_f0046985.jpg",
            "bounding_box_test/0005_c5_f0051781.jpg",
            "bounding_box_test/0033_c8_f0061200.jpg",
        ],
    )


def msmt17(root: Path, *, version: str = "v1") -> Path:
    """Two people train (one image of person 1 in list_val), two are searched."""
    train, test = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}[version]
    lists = {
        "list_train.txt": (
            train,
            ["0000/0000_000_01_0303morning_0008_0.jpg 0", "0001/0001_000_03_0303noon_0120_1.jpg 1"],
        ),
        "list_val.txt": (train, ["0001/0001_001_15_0304afternoon_0500_2_ex.jpg 1"]),
        "list_query.txt": (test, ["0000/0000_000_14_0303morning_0016_2.jpg 0"]),
        "list_gallery.txt": (
            test,
            ["0000/0000_001_02_0303noon_0016_0.jpg 0", "0001/0001_000_04_0302noon_0016_0.jpg 1"],
        ),
    }
    root.mkdir(parents=True, exist_ok=True)
    for name, (folder, lines) in lists.items():
        (root / name).write_text("".join(f"{line}\n" for line in lines))
        draw_all(root / folder, [line.split(" ")[0] for line in lines])
    return root


def viper(root: Path, *, num_people: int = 6) -> Path:
    for number in range(num_people):
        draw(root / f"cam_a/{number:03d}_45.bmp", seed=number)
        draw(root / f"cam_b/{number:03d}_135.bmp", seed=100 + number)
    return root


def grid(root: Path, *, num_people: int = 4, with_field_names: bool = True) -> Path:
    """People 1..n in both folders and two distractors; split i trains on the people i+1, i+2 (modulo n)."""
    for pid in range(1, num_people + 1):
        draw(root / f"probe/{pid:04d}_1_25004_107_32_106_221.jpeg", seed=pid)
        draw(root / f"gallery/{pid:04d}_{2 + pid % 2}_25023_116_134_128_330.jpeg", seed=50 + pid)
    draw_all(root / "gallery", ["0000_5_25010_1_2_3_4.jpeg", "0000_6_25010_1_2_3_4.jpeg"])
    names = ("galleryImIdx", "probeImIdx", "personIdx") if with_field_names else ("a", "b", "c")
    partitions = np.empty((1, 10), dtype=object)
    for split in range(10):
        people = np.array([[1 + (split + k) % num_people for k in range(2)]], dtype=np.float64)
        partitions[0, split] = {names[0]: people * 2, names[1]: people * 2 + 1, names[2]: people}
    scipy.io.savemat(root / "features_and_partitions.mat", {"trainIdxAll": partitions})
    return root


def cuhk03_names() -> list[str]:
    """Two images in each view of everybody, one in view 1 for the last person of pair 1."""
    names = []
    for pair, people in CUHK03_PEOPLE.items():
        for person in range(1, people + 1):
            columns = (1, 2, 6, 7) if (pair, person) != (1, people) else (1, 6, 7)
            names += [f"{pair}_{person:03d}_{1 if c <= 5 else 2}_{c:02d}.png" for c in columns]
    return names


def cuhk03_images(root: Path, boxes: str) -> Path:
    draw_all(root / f"images_{boxes}", cuhk03_names())
    return root


def cuhk03_config(root: Path, boxes: str) -> Path:
    """New protocol: the people of pair 2 are searched with their last image in each view, pair 1 trains."""
    names = cuhk03_names()
    test = [i for i, name in enumerate(names, start=1) if name.startswith("2")]
    query = [i for i in test if names[i - 1][8:10] in ("02", "07")]
    content = {
        "filelist": np.array([[name] for name in names], dtype=object),
        "train_idx": np.array([[i] for i in range(1, len(names) + 1) if i not in test]),
        "query_idx": np.array([[i] for i in query]),
        "gallery_idx": np.array([[i] for i in test if i not in query]),
    }
    scipy.io.savemat(root / f"cuhk03_new_protocol_config_{boxes}.mat", content)
    return root


def cuhk03_json(
    root: Path, boxes: str, kind: str, splits: Sequence[dict[str, list[str]]], *, folder: str
) -> Path:
    """A split file as Torchreid writes it: absolute paths of another machine, labels from 0."""
    content = [
        {
            part: [[f"{folder}{name}", label, 0] for label, name in enumerate(names)]
            for part, names in split.items()
        }
        for split in splits
    ]
    (root / f"splits_{kind}_{boxes}.json").write_text(json.dumps(content))
    return root


def cuhk03_mat(path: Path) -> Path:
    """cuhk-03.mat as MATLAB 7.3 writes it: HDF5, cells of references, every array transposed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as mat:
        store = mat.create_group("#refs#")

        def keep(values: np.ndarray) -> h5py.Reference:
            return store.create_dataset(str(len(store)), data=values).ref

        def cell(references: np.ndarray) -> h5py.Reference:
            return store.create_dataset(str(len(store)), data=references, dtype=h5py.ref_dtype).ref

        for number, boxes in enumerate(("detected", "labeled")):
            pairs = []
            for pair in range(1, 6):
                rows = CUHK03_PEOPLE.get(pair, 0)
                references = np.empty((10, rows), dtype=object)
                for person in range(rows):
                    for column in range(10):
                        name = f"{pair}_{person + 1:03d}_{1 if column < 5 else 2}_{column + 1:02d}.png"
                        image = np.full((3, 8, 16), 10 * pair + number, dtype=np.uint8)
                        image[0] += np.uint8(column)
                        empty = np.zeros(2, dtype=np.uint64)
                        references[column, person] = keep(image if name in cuhk03_names() else empty)
                pairs.append(cell(references))
            mat.create_dataset(boxes, data=np.array([pairs], dtype=object), dtype=h5py.ref_dtype)
        sets = [keep(np.array(people, dtype=np.float64).T) for people in CUHK03_TEST_SETS]
        mat.create_dataset("testsets", data=np.array([sets], dtype=object), dtype=h5py.ref_dtype)
    return path
