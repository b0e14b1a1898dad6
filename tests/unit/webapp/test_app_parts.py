import re
import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest

from tests.webapp_fakes import FakeWorkbench
from webapp.components.mount_point import mount_point
from webapp.shell import PAGES, build_app
from webapp.static_files import STATIC_DIR, static_url, stylesheet_tags

WEBAPP = Path(__file__).parents[3] / "webapp"


def test_views__imported_alone__bring_no_gradio() -> None:
    names = ", ".join(f"webapp.views.{path.stem}" for path in (WEBAPP / "views").glob("*.py"))
    code = f"import sys, {names.replace('.__init__', '')}; sys.exit('gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=WEBAPP.parent, check=False)
    assert done.returncode == 0


def test_build_app__all_pages__one_route_each_and_no_state() -> None:
    demo = build_app(FakeWorkbench())  # type: ignore[arg-type]
    assert len(demo.pages) == len(PAGES)
    assert not [block for block in demo.blocks.values() if isinstance(block, gr.State)]


def test_mount_point__template_that_gradio_would_evaluate__refused() -> None:
    with pytest.raises(AssertionError, match="evaluated"), gr.Blocks():
        mount_point("x", template="<p>${value}</p>", scripts=())


def test_static_files__every_reference__exists_and_stays_on_this_server() -> None:
    for path in [*STATIC_DIR.rglob("*.css"), *STATIC_DIR.rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        outside = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not outside, f"{path.name} names {outside}"
        for name in re.findall(r"url\(\"(\.\./[^\"]+)\"\)", text):
            assert (path.parent / name).is_file(), f"{path.name} names {name}"
    assert (STATIC_DIR / "fonts" / "Inter-OFL.txt").is_file()


def test_static_url__file_of_ours__relative_and_versioned() -> None:
    assert re.fullmatch(r"gradio_api/reid/static/js/core\.js\?v=[0-9a-f]{12}", static_url("js/core.js"))
    assert stylesheet_tags().count("<link") == len(list((STATIC_DIR / "css").glob("*.css")))


def test_scripts__all_of_them__never_write_markup_from_data() -> None:
    for path in (STATIC_DIR / "js").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            path.name
        )
