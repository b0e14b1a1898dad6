from __future__ import annotations

from reid_core.seeds import rng_for


def test_rng_for__same_names__same_numbers_on_every_machine() -> None:
    # Pinned: a change here would change every seeded split, corruption and rendered crop.
    pinned = [1938775199, 709404756, 1432903213]
    assert rng_for(0, "pin").integers(0, 2**31, 3).tolist() == pinned


def test_rng_for__other_name_or_seed__other_numbers() -> None:
    first = rng_for(7, "camera", 3).random()
    assert len({first, rng_for(7, "camera", 4).random(), rng_for(8, "camera", 3).random()}) == 3
    assert rng_for(1, "a", "b").random() != rng_for(1, "ab").random()
