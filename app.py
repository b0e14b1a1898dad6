"""ReID Studio in the browser: ``python app.py`` and open the address it prints.

On Hugging Face Spaces the platform runs this file; ``demo`` is the app it looks for.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reid_core import __version__
from reid_core.errors import ReidError
from reid_core.settings import (
    Settings,
    add_settings_arguments,
    prepare_environment,
    settings_from_arguments,
)

if TYPE_CHECKING:
    import gradio as gr

    from reid_core.services import Workbench


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings from the command line, the environment and the defaults; a wrong one ends the program."""
    parser = argparse.ArgumentParser(prog="app.py", description="Person re-identification in the browser.")
    parser.add_argument("--version", action="version", version=f"reid-studio {__version__}")
    add_settings_arguments(parser)
    try:
        return settings_from_arguments(parser.parse_args(arguments))
    except ReidError as error:
        parser.error(str(error))


def build(settings: Settings) -> tuple[Workbench, gr.Blocks]:
    """The services and the app around them. Nothing is loaded, opened or computed yet."""
    prepare_environment(settings)
    # Imported now and not above: Gradio and the hub client read the environment when they are imported.
    from reid_core.services import Workbench
    from webapp.shell import build_app

    workbench = Workbench(settings)
    return workbench, build_app(workbench)


def serve(workbench: Workbench, demo: gr.Blocks) -> int:
    """Open the gallery in the background and answer requests until stopped; returns the exit code."""
    from webapp.launch import launch_arguments

    settings = workbench.settings
    # Background threads hand over sooner, so that a short request waits less (commits: p95 489 -> 165 ms).
    sys.setswitchinterval(0.0005)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what runs is put away in order
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio's own calls to itself
    try:
        _, address, _ = demo.launch(**launch_arguments(workbench, settings), prevent_thread_lock=True)
        workbench.start()  # after the launch: loading a network keeps the processor from showing the page
        print(f"ReID Studio is at {address} (Ctrl-C stops it). Everything it keeps is in {settings.data_dir}")
        demo.block_thread()
    except ReidError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"app.py: could not listen on {settings.host}:{settings.port} ({error}).", file=sys.stderr)
        return 1
    finally:
        workbench.close()
        demo.close(verbose=False)
    return 0


workbench, demo = build(read_settings(sys.argv[1:] if __name__ == "__main__" else ()))

if __name__ == "__main__":
    sys.exit(serve(workbench, demo))
