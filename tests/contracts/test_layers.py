from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("reid_core", "webapp") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_import_contracts__all_of_them__kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0, (
        capsys.readouterr().out
    )


def test_environment__only_the_settings__touch_it() -> None:
    touching = set()
    for path in [*SOURCES, ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv"):
                touching.add(path.relative_to(ROOT).as_posix())
    assert touching == {"reid_core/settings.py"}


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("webapp.routes, webapp.security", {"gradio", "torch"}),
        ("webapp.views.search, webapp.views.data, webapp.views.jobs", {"gradio", "torch"}),
        (
            "webapp.views.evaluate, webapp.views.failures, webapp.views.run_comparison",
            {"gradio", "torch", "plotly"},
        ),
        ("reid_core.services, reid_core.settings", {"gradio", "torch", "starlette"}),
        ("reid_core, reid_core.cli", {"gradio", "torch", "numba", "numpy"}),
    ],
)
def test_import__light_parts__load_no_heavy_library(modules: str, absent: set[str]) -> None:
    code = f"import sys, {modules}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not absent & set(ran.stdout.split())
