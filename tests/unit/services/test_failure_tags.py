from __future__ import annotations

from pathlib import Path

import pytest

from reid_core.errors import InputError
from reid_core.services.evaluations.tags import TagLog


@pytest.fixture
def log(tmp_path: Path) -> TagLog:
    return TagLog(tmp_path)


def test_record__two_kinds_one_taken_off__current_and_counts(log: TagLog) -> None:
    log.record("city", "a.jpg", "h1", "look-alike", who="ann", run="r1", match="b.jpg")
    log.record("city", "a.jpg", "h1", "junk", who="ben")
    log.record("city", "c.jpg", "h2", "junk", who="ben")
    log.record("city", "a.jpg", "h1", "junk", who="ann", is_on=False)
    assert log.current("city") == {("a.jpg", "h1"): ("look-alike",), ("c.jpg", "h2"): ("junk",)}
    assert log.counts("city") == {"look-alike": 1, "junk": 1}
    first = log.events("city")[0]
    assert (first.who, first.run, first.match, first.action) == ("ann", "r1", "b.jpg", "add")
    assert len(log.events("city")) == 4  # nothing is ever overwritten
    assert log.current("other") == {}


def test_record__twice__one_event(log: TagLog) -> None:
    assert log.record("city", "a.jpg", "h1", "junk", who="") is not None
    assert log.record("city", "a.jpg", "h1", "junk", who="") is None
    assert len(log.events("city")) == 1


def test_record__unknown_kind_or_long_name__refused_and_nothing_stored(log: TagLog) -> None:
    with pytest.raises(InputError, match="failure kind"):
        log.record("city", "a.jpg", "h1", "ugly", who="")
    with pytest.raises(InputError, match="characters"):
        log.record("city", "a.jpg", "h1", "junk", who="n" * 61)
    assert log.events("city") == ()


def test_current__other_picture_under_the_same_id__no_tag(log: TagLog) -> None:
    log.record("city", "a.jpg", "h1", "junk", who="")
    assert ("a.jpg", "h2") not in log.current("city")


def test_undo__add_and_remove__opposite_and_only_once(log: TagLog) -> None:
    added = log.record("city", "a.jpg", "h1", "junk", who="ann")
    assert added is not None
    undone = log.undo("city", added.id, who="ben")
    assert (undone.action, undone.who) == ("remove", "ben")
    assert log.current("city") == {}
    with pytest.raises(InputError, match="changed again"):
        log.undo("city", added.id, who="ben")
    log.undo("city", undone.id, who="ben")
    assert log.current("city") == {("a.jpg", "h1"): ("junk",)}
    with pytest.raises(InputError, match="no tag event"):
        log.undo("city", "nothing", who="")


def test_log__cut_by_a_crash__rest_kept_and_next_line_whole(log: TagLog, tmp_path: Path) -> None:
    log.record("city", "a.jpg", "h1", "junk", who="")
    with (tmp_path / "city.jsonl").open("ab") as file:
        file.write(b'{"id": "half')
    again = TagLog(tmp_path)
    again.record("city", "b.jpg", "h2", "occlusion", who="")
    assert TagLog(tmp_path).current("city") == {("a.jpg", "h1"): ("junk",), ("b.jpg", "h2"): ("occlusion",)}


def test_log__another_process_wrote__seen_at_once(log: TagLog, tmp_path: Path) -> None:
    assert log.current("city") == {}
    TagLog(tmp_path).record("city", "a.jpg", "h1", "junk", who="")
    assert log.counts("city") == {"junk": 1}
