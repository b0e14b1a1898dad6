from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reid_core.settings import Settings, settings_table

ROOT = Path(__file__).resolve().parents[2]


def test_settings_page__table__is_the_one_the_settings_print() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert settings_table() in page, (
        "Put what reid_core.settings.settings_table() returns into docs/settings.md."
    )


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if not name.startswith("space_")])
def test_settings__each__described_and_in_the_page(name: str) -> None:
    assert len(Settings.model_fields[name].description or "") > 20
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert f"`--{name.replace('_', '-')}`" in page
    assert f"`REID_{name.upper()}`" in page


def test_app_help__every_setting__option_and_variable_without_importing_gradio(tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['app.py', '--help']\n"
        "try: runpy.run_path('app.py', run_name='__main__')\n"
        "except SystemExit: print('gradio' in sys.modules, 'torch' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip().endswith("False False")
    for name in Settings.model_fields:
        if not name.startswith("space_"):
            assert f"--{name.replace('_', '-')}" in ran.stdout
            assert f"REID_{name.upper()}" in ran.stdout
