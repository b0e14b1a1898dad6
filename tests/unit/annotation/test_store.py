from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from reid_core.annotation import Answer, Decision, Retraction
from reid_core.annotation.store import LEASE_S, AnnotationStore, Lease
from reid_core.annotation.tables import metadata
from reid_core.errors import InputError, LabelConflictError, StaleViewError

LABELS = {f"crop{number}": 1 + number // 4 for number in range(40)}
CITY = "demo-city"


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'annotations.sqlite'}"


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    opened = AnnotationStore(url_of(tmp_path))
    opened.open_collection(CITY, LABELS)
    return opened


def say(number: int, answer: str = "same", *, left: int = 0, right: int = 5) -> Decision:
    return Decision(
        f"id-{number}",
        f"crop{left}",
        f"crop{right}",
        Answer(answer),
        annotator="ann",
        decided_at="2026-01-01T00:00:00Z",
        reasons=("clothes", "naïve <b>"),
        similarity=0.71,
        ms_taken=1200,
    )


def test_record__reopened__same_log_and_same_identities(store: AnnotationStore, tmp_path: Path) -> None:
    store.record(CITY, say(1))
    store.record(CITY, say(2, "different", left=9, right=14))
    store.record(CITY, Retraction("back", "id-1", "ann", "2026-01-02T00:00:00Z"))
    store.close()
    again = AnnotationStore(url_of(tmp_path))
    again.open_collection(CITY, LABELS)
    assert again.log(CITY)[:2] == (say(1), say(2, "different", left=9, right=14))
    assert again.graph(CITY).relation("crop0", "crop5") is None
    assert again.graph(CITY).relation("crop8", "crop12") is Answer.DIFFERENT


def test_record__sent_twice__kept_once(store: AnnotationStore) -> None:
    first = store.record(CITY, say(1))
    second = store.record(CITY, say(1))
    assert (first.position, first.was_known) == (second.position, not second.was_known)
    assert len(store.log(CITY)) == 1


def test_record__other_content_under_a_known_id__refused(store: AnnotationStore) -> None:
    store.record(CITY, say(1))
    with pytest.raises(LabelConflictError, match="id-1"):
        store.record(CITY, say(1, "different"))
    assert len(store.log(CITY)) == 1


def test_record__stale_view__refused_and_nothing_stored(store: AnnotationStore) -> None:
    seen = {"crop0": store.graph(CITY).revision("crop0"), "crop5": store.graph(CITY).revision("crop5")}
    store.record(CITY, say(1, left=1, right=9))
    with pytest.raises(StaleViewError, match="crop0"):
        store.record(CITY, say(2), seen_revisions=seen)
    assert [event.decision_id for event in store.log(CITY) if isinstance(event, Decision)] == ["id-1"]


def test_record__unknown_crop__refused_and_nothing_stored(store: AnnotationStore) -> None:
    with pytest.raises(InputError, match="crop99"):
        store.record(CITY, say(1, right=99))
    assert store.log(CITY) == ()


def test_record__contradiction__kept_and_contested(store: AnnotationStore) -> None:
    store.record(CITY, say(1, "different"))
    labels_of_one = {f"crop{number}" for number in range(4)}
    assert set(store.graph(CITY).crops("crop0")) == labels_of_one
    store.open_collection("loose", {"a": None, "b": None, "c": None})
    for number, (left, right) in enumerate((("a", "b"), ("b", "c"))):
        store.record("loose", Decision(f"s{number}", left, right, Answer.SAME, "ann", "2026-01-01T00:00:00Z"))
    receipt = store.record("loose", Decision("n", "a", "c", Answer.DIFFERENT, "ann", "2026-01-01T00:00:00Z"))
    assert receipt.conflict is not None
    assert [link.decision_id for link in receipt.conflict.chain] == ["s0", "s1"]
    assert len(store.log("loose")) == 3


def test_graph__written_by_another_store__seen(store: AnnotationStore, tmp_path: Path) -> None:
    other = AnnotationStore(url_of(tmp_path))
    other.open_collection(CITY, LABELS)
    other.record(CITY, say(1))
    assert store.graph(CITY).relation("crop0", "crop5") is Answer.SAME


def test_record__eight_annotators_at_once__all_kept(store: AnnotationStore) -> None:
    def work(worker: int) -> None:
        for turn in range(12):
            left, right = (worker * 5 + turn) % 40, (worker * 7 + turn * 3 + 1) % 40
            if left != right:
                store.record(CITY, say(worker * 100 + turn, left=left, right=right))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sum((w * 5 + t) % 40 != (w * 7 + t * 3 + 1) % 40 for w in range(8) for t in range(12))
    assert len(store.log(CITY)) == expected


def _write_until_killed(url: str, acknowledged: Path) -> None:
    store = AnnotationStore(url)
    store.open_collection(CITY, LABELS)
    with acknowledged.open("a") as file:
        for number in range(100_000):
            event = say(number, "cannot_tell", left=number % 40, right=(number + 1) % 40)
            file.write(f"{store.record(CITY, event).position}\n")
            file.flush()


def test_record__killed_while_writing__every_acknowledged_event_is_there(tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged.txt"
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_write_until_killed, args=(url_of(tmp_path), acknowledged))
    process.start()
    while not acknowledged.exists() or acknowledged.stat().st_size < 200:
        process.join(0.05)
        assert process.is_alive(), "the writer stopped by itself"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    told = [int(line) for line in acknowledged.read_text().split("\n")[:-1]]
    store = AnnotationStore(url_of(tmp_path))
    store.open_collection(CITY, LABELS)
    assert len(store.log(CITY)) >= len(told) >= 50
    store.record(CITY, say(999_999))


def test_import__exported_log_into_an_empty_store__same_state(store: AnnotationStore, tmp_path: Path) -> None:
    store.record(CITY, say(1))
    store.record(CITY, say(2, "different", left=1, right=2))
    store.record(CITY, Retraction("back", "id-1", "ann", "2026-01-02T00:00:00Z"))
    lines = list(store.export_lines(CITY))
    (tmp_path / "other").mkdir()
    other = AnnotationStore(url_of(tmp_path / "other"))
    other.open_collection(CITY, LABELS)
    assert other.import_lines(CITY, lines) == 3
    assert other.import_lines(CITY, lines) == 0
    assert other.log(CITY) == store.log(CITY)
    assert list(other.graph(CITY).identities()) == list(store.graph(CITY).identities())


def test_claim__held_by_another__refused_until_it_expires(store: AnnotationStore) -> None:
    assert store.claim(CITY, "a|b", "ann", now_s=1000.0)
    assert not store.claim(CITY, "a|b", "bob", now_s=1001.0)
    assert store.claim(CITY, "a|b", "ann", now_s=1002.0)
    assert store.held_by_others(CITY, "bob", now_s=1003.0) == {"a|b"}
    assert store.claim(CITY, "a|b", "bob", now_s=1002.0 + LEASE_S + 1)
    store.release(CITY, "a|b", "ann")
    assert store.held_by_others(CITY, "ann", now_s=1002.0 + LEASE_S + 2) == {"a|b"}


def test_leases__some_expired__the_others_with_holder_and_time_left(store: AnnotationStore) -> None:
    store.claim(CITY, "a|b", "ann", now_s=1000.0)
    store.claim(CITY, "c|d", "bob", now_s=1000.0 + LEASE_S)
    assert store.leases(CITY, now_s=1100.0 + LEASE_S) == {"c|d": Lease("bob", LEASE_S - 100.0)}
    store.open_collection(CITY, LABELS)
    assert store.leases(CITY, now_s=0.0) == {}  # both are long over: nothing of them is kept


def test_migrations__fresh_database__equal_to_the_tables(store: AnnotationStore, tmp_path: Path) -> None:
    engine = sa.create_engine(url_of(tmp_path))
    inspector = sa.inspect(engine)
    for name, table in metadata.tables.items():
        assert {c["name"] for c in inspector.get_columns(name)} == set(table.columns.keys())
        found = {c["name"] for c in inspector.get_check_constraints(name)}
        assert found == {c.name for c in table.constraints if isinstance(c, sa.CheckConstraint)}
    engine.dispose()


def test_events__row_without_a_pair__refused_by_the_database(store: AnnotationStore, tmp_path: Path) -> None:
    engine = sa.create_engine(url_of(tmp_path))
    statement = sa.text(
        "insert into events (collection, event_id, kind, annotator, decided_at, received_at) "
        "values ('c', 'e', 'decision', 'ann', 'now', 'now')"
    )
    with engine.begin() as db, pytest.raises(sa.exc.IntegrityError):
        db.execute(statement)
    engine.dispose()


def test_record_all__one_of_them_is_wrong__nothing_stored(store: AnnotationStore) -> None:
    with pytest.raises(InputError, match="crop99"):
        store.record_all(CITY, [say(1), say(2, right=99)])
    assert store.log(CITY) == ()


def test_record_all__refers_to_an_earlier_one_of_the_same_call__stored(store: AnnotationStore) -> None:
    back = Retraction("back", "id-1", "ann", "2026-01-02T00:00:00Z")
    store.record_all(CITY, [say(1), back])
    assert store.graph(CITY).relation("crop0", "crop5") is None


def test_record_all__changed_on_the_same_screen__not_stale_but_named_otherwise(
    store: AnnotationStore,
) -> None:
    seen = {"crop0": store.graph(CITY).revision("crop0")}
    store.record(CITY, say(1, left=1, right=9))
    with pytest.raises(StaleViewError) as caught:
        store.record_all(CITY, [say(2)], seen_revisions=seen)
    assert caught.value.changes == (say(1, left=1, right=9),)
    store.record_all(CITY, [say(2)], seen_revisions=seen, known_answers=["id-1"])
    assert len(store.log(CITY)) == 2


def test_record_all__seen_in_another_log__refused(store: AnnotationStore) -> None:
    with pytest.raises(StaleViewError, match="another log"):
        store.record_all(CITY, [say(1)], seen_revisions={"crop0": 77})


def test_open_collection__crop_is_gone__its_judgements_still_connect_and_can_be_undone(
    store: AnnotationStore, tmp_path: Path
) -> None:
    store.record(CITY, say(1, left=0, right=5))
    store.record(CITY, say(2, left=5, right=9))
    store.close()
    again = AnnotationStore(url_of(tmp_path))
    left = {crop: pid for crop, pid in LABELS.items() if crop != "crop5"}
    assert again.open_collection(CITY, left) == ("crop5",)
    assert again.graph(CITY).relation("crop0", "crop9") is Answer.SAME
    again.record(CITY, Retraction("back", "id-2", "ann", "2026-01-02T00:00:00Z"))
    assert again.graph(CITY).relation("crop0", "crop9") is None
    assert len(again.log(CITY)) == 3


def test_open_collection__identity_is_gone__its_judgements_are_kept(store: AnnotationStore) -> None:
    apart = Decision("d", "crop0", "identity:10", Answer.DIFFERENT, "ann", "2026-01-01T00:00:00Z")
    store.record(CITY, apart)
    fewer = {crop: pid for crop, pid in LABELS.items() if pid != 10}
    assert store.open_collection(CITY, fewer) == ("identity:10",)
    assert store.graph(CITY).relation("crop0", "identity:10") is Answer.DIFFERENT


def test_import_lines__names_unknown_crops__kept_and_reported(store: AnnotationStore) -> None:
    store.record(CITY, say(1))
    lines = list(store.export_lines(CITY))
    store.open_collection("other", {"crop0": 1, "x": 2})
    assert store.import_lines("other", lines) == 1
    assert store.absent("other") == ("crop5",)


def test_import_lines__last_line_refers_to_nothing__nothing_stored(store: AnnotationStore) -> None:
    store.record(CITY, say(1))
    line = next(iter(store.export_lines(CITY)))
    store.open_collection("other", LABELS)
    stray = line.replace("id-1", "id-2").replace('"supersedes": null', '"supersedes": "nowhere"')
    with pytest.raises(InputError, match="nowhere"):
        store.import_lines("other", [line, stray])
    assert store.log("other") == ()


def test_support__kept_once__later_ones_change_nothing(store: AnnotationStore) -> None:
    assert store.support(CITY) is None
    assert store.keep_support(CITY, {"crop0": 0.25})
    assert not store.keep_support(CITY, {"crop0": 0.75})
    assert store.support(CITY) == {"crop0": 0.25}
    assert store.keep_support("empty", {})
    assert store.support("empty") == {}


def test_gold__answered_in_either_order__replaced_not_doubled(store: AnnotationStore) -> None:
    store.add_gold(CITY, {("a", "b"): Answer.SAME})
    store.add_gold(CITY, {("b", "a"): Answer.DIFFERENT})
    assert store.gold(CITY) == {("b", "a"): Answer.DIFFERENT}


def test_claim_all__some_are_held__only_the_free_ones(store: AnnotationStore) -> None:
    store.claim(CITY, "b", "bob", now_s=0.0)
    assert store.claim_all(CITY, ["a", "b", "c"], "ann", now_s=1.0) == {"a", "c"}
    assert store.claim_all(CITY, ["b"], "ann", now_s=LEASE_S + 1.0) == {"b"}


def test_migrate__database_of_version_1__judgements_are_still_there(tmp_path: Path) -> None:
    engine = sa.create_engine(url_of(tmp_path))
    config = Config()
    config.set_main_option("script_location", "reid_core.annotation:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = "collection, event_id, kind, left_node, right_node, answer, is_sure, annotator, decided_at"
        row += ", received_at"
        values = (
            "'demo-city', 'id-1', 'decision', 'crop0', 'crop5', 'same', 1, 'ann', '2026-01-01T00:00:00Z', 'x'"
        )
        connection.exec_driver_sql(f"insert into events ({row}) values ({values})")
    engine.dispose()
    store = AnnotationStore(url_of(tmp_path))
    store.open_collection(CITY, LABELS)
    assert store.graph(CITY).relation("crop0", "crop5") is Answer.SAME
    assert [event.comment for event in store.log(CITY) if isinstance(event, Decision)] == [""]


def test_support__imported_before_the_first_judgement__replaces_the_frozen_one(
    store: AnnotationStore,
) -> None:
    store.keep_support(CITY, {"crop0": 0.25})
    assert store.keep_support(CITY, {"crop0": 0.75}, is_imported=True)
    store.record(CITY, say(1))
    assert not store.keep_support(CITY, {"crop0": 0.5}, is_imported=True)
    assert store.support(CITY) == {"crop0": 0.75}


def test_record__revisions_on_the_screen__kept_in_the_log_and_its_export(
    store: AnnotationStore, tmp_path: Path
) -> None:
    store.record(CITY, say(1, left=1, right=9))
    seen = {node: store.graph(CITY).revision(node) for node in ("crop0", "crop5")}
    assert seen["crop0"] == 1
    store.record(CITY, say(2, "cannot_tell"), seen_revisions=seen)
    kept = store.log(CITY)[1]
    assert isinstance(kept, Decision)
    assert dict(kept.seen_revisions) == seen
    assert store.record(CITY, say(2, "cannot_tell")).was_known  # sent again without what was on the screen
    (tmp_path / "other").mkdir()
    other = AnnotationStore(url_of(tmp_path / "other"))
    other.open_collection(CITY, LABELS)
    other.import_lines(CITY, list(store.export_lines(CITY)))
    assert other.log(CITY) == store.log(CITY)


def test_claim__many_at_once_over_several_connections__exactly_one_gets_each_item(
    store: AnnotationStore, tmp_path: Path
) -> None:
    stores = [store, AnnotationStore(url_of(tmp_path)), AnnotationStore(url_of(tmp_path))]
    items = [f"item{number}" for number in range(6)]
    taken: list[tuple[str, str]] = []
    start = threading.Barrier(9)

    def work(worker: int) -> None:
        start.wait()
        for item in items:
            if stores[worker % 3].claim(CITY, item, f"ann{worker}", now_s=1000.0):
                taken.append((item, f"ann{worker}"))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item for item, _ in taken) == items
    late = [s.claim(CITY, "item0", "late", now_s=1000.0 + LEASE_S) for s in stores[:1]]
    assert late == [True]


@pytest.mark.parametrize("name", ["events", "leases", "priors", "gold", "names"])
def test_tables__postgresql__can_be_created_and_written(name: str) -> None:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    table = metadata.tables[name]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    created = str(CreateTable(table).compile(dialect=dialect))
    assert created.strip().startswith(f"CREATE TABLE {name}")
    if name in ("events", "names"):
        assert "position SERIAL" in created
    assert "INSERT INTO" in str(sa.insert(table).returning(*table.primary_key).compile(dialect=dialect))
