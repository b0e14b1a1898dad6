from dataclasses import replace
from pathlib import Path

from reid_core.errors import DatasetError
from reid_core.services import JobView
from reid_core.types import Refusal
from tests.webapp_fakes import FakeWorkbench
from webapp.views.data import cancel_job, import_path, remove_gallery, show_data
from webapp.views.jobs import MAX_REFUSED_SHOWN, show_job
from webapp.views.scope import show_scope

JOB = JobView("j", "import", "Import", "running", 50, 200, "Reading")


class Refusing(FakeWorkbench):
    def import_gallery(self, source: Path, *, name: str = "", kind: str = "auto") -> str:
        raise DatasetError(f"{source} does not exist. Check the path.")


def test_show_data__default_and_own_gallery__facts_in_words() -> None:
    view = show_data(FakeWorkbench())
    first, second = view.galleries
    assert (first.is_default, first.identities, first.cameras) == (True, "24 identities", "6 cameras")
    assert first.time == "0:00:00 to 0:49:00 (49 min 00 s)"
    assert (second.queries, second.identities) == ("", "")
    assert view.models[0].parameters == "201,864"
    assert view.is_busy is False


def test_show_data__model_not_loaded_yet__no_invented_numbers() -> None:
    workbench = FakeWorkbench()
    unloaded = replace(workbench.models()[0], num_parameters=0, input_size=(0, 0))
    workbench.models = lambda: (unloaded,)  # type: ignore[method-assign]
    card = show_data(workbench).models[0]
    assert (card.parameters, card.input_size) == ("", "")
    assert show_scope(workbench, "", "").models[0].detail == "osnet_x0_25"


def test_import_path__then_cancel__job_is_followed_and_stopped() -> None:
    workbench = FakeWorkbench()
    started = import_path(workbench, " /data/people ", "People")
    assert show_data(workbench).is_busy is True
    assert cancel_job(workbench, started.job_id).error == ""
    panel = show_data(workbench).jobs[0]
    assert (panel.state, panel.can_cancel, panel.message) == ("cancelled", False, "Stopped by you.")


def test_import_path__refused_or_empty__the_reason_comes_back() -> None:
    assert import_path(Refusing(), "/nowhere", "").error == "/nowhere does not exist. Check the path."
    assert "Give the path" in import_path(Refusing(), "  ", "").error


def test_remove_gallery__own_gallery__is_gone_from_the_list() -> None:
    workbench = FakeWorkbench()
    assert remove_gallery(workbench, "plain").error == ""
    assert [card.name for card in show_data(workbench).galleries] == ["figures"]


def test_show_job__unknown_total__no_fraction() -> None:
    panel = show_job(replace(JOB, num_total=0))
    assert (panel.fraction, panel.progress) == (None, "50 images")


def test_show_job__more_done_than_expected__fraction_stops_at_one() -> None:
    assert show_job(replace(JOB, num_done=300)).fraction == 1.0


def test_show_job__thousands_refused__all_counted_and_the_first_listed() -> None:
    refused = tuple(Refusal(f"{n}.jpg", "damaged") for n in range(MAX_REFUSED_SHOWN + 9))
    panel = show_job(replace(JOB, refused=refused))
    assert (panel.num_refused, len(panel.refused)) == (MAX_REFUSED_SHOWN + 9, MAX_REFUSED_SHOWN)


def test_show_scope__name_that_does_not_exist__kept_for_the_error_to_name() -> None:
    scope = show_scope(FakeWorkbench(), "nowhere", "")
    assert (scope.gallery, scope.model) == ("nowhere", "demo")
