from __future__ import annotations

import pytest

from reid_core.errors import InputError
from reid_core.models.complexity import measure_complexity

# Zhou et al., ICCV 2019: width x resolution, multiply-adds in millions (rows of the paper's table, without
# 256x128).
PAPER_MILLIONS = {
    "osnet_x1_0": {192: 550.7, 128: 244.9, 64: 61.5},
    "osnet_x0_75": {192: 321.7, 128: 143.1, 64: 35.9},
    "osnet_x0_5": {192: 153.6, 128: 68.3, 64: 17.2},
    "osnet_x0_25": {192: 46.3, 128: 20.6, 64: 5.2},
}


@pytest.mark.parametrize(
    ("variant", "parameters", "multiply_adds"),
    [
        ("osnet_x1_0", 2_169_508, 978_878_352),
        ("osnet_x0_75", 1_285_754, 571_754_536),
        ("osnet_x0_5", 630_034, 272_901_064),
        ("osnet_x0_25", 201_864, 82_316_000),
        ("osnet_ibn_x1_0", 2_170_532, 978_878_352),
        ("osnet_ain_x1_0", 2_169_508, 978_878_352),
        ("osnet_ain_x0_75", 1_285_754, 571_754_536),
        ("osnet_ain_x0_5", 630_034, 272_901_064),
        ("osnet_ain_x0_25", 201_864, 82_316_000),
    ],
)
def test_measure_complexity__at_256x128__true_counts(
    variant: str, parameters: int, multiply_adds: int
) -> None:
    measured = measure_complexity(variant)
    assert (measured.num_parameters, measured.num_multiply_adds) == (parameters, multiply_adds)


@pytest.mark.parametrize("variant", PAPER_MILLIONS)
@pytest.mark.parametrize("height", [192, 128, 64])
def test_measure_complexity__smaller_input__rows_of_the_paper(variant: str, height: int) -> None:
    measured = measure_complexity(variant, height=height, width=height // 2)
    assert round(measured.num_multiply_adds / 1e6, 1) == PAPER_MILLIONS[variant][height]


def test_measure_complexity__unknown_variant__refused() -> None:
    with pytest.raises(InputError, match="no variant"):
        measure_complexity("resnet50")
