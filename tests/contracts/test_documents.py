"""What the documents promise is there: commands, links, and code that runs."""

from __future__ import annotations

import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from reid_core import commands
from reid_core.cli import build_parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_commands__every_one__is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    documented = set(re.findall(r"^\| `reid ([a-z-]+)`", text, flags=re.MULTILINE))
    assert documented == {module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__)}


def _shown_commands() -> list[str]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text().replace("\\\n", " ")
        found += re.findall(r"`(reid [a-z-]+ [^`\n]+)`", text)
        found += re.findall(r"^(reid [a-z-]+ [^\n#]+)", text, flags=re.MULTILINE)
    return sorted({command.strip() for command in found if "..." not in command})


@pytest.mark.parametrize("command", _shown_commands())
def test_documents__shown_command__is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    if words[:2] == ["weights", "list|show|download|convert"]:
        return
    try:
        build_parser().parse_args(words)
    except SystemExit as stop:
        pytest.fail(f"{command!r} is refused with exit code {stop.code}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents__local_links_and_pictures__exist(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)\)", document.read_text())
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert not missing


def test_readme__python_example__runs_and_gives_unit_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(code, names)
    similarity = names["similarity"]
    assert similarity.shape == (4, 4)  # type: ignore[attr-defined]
    assert similarity.diagonal() == pytest.approx(1.0, abs=1e-5)  # type: ignore[attr-defined]
