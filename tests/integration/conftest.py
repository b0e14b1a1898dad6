from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from reid_core.services import Workbench
from reid_core.settings import prepare_environment
from tests.service_fakes import (
    WAIT_S,
    ColourNetwork,
    loader_of,
    make_settings,
    person_image,
    wait_until_over,
    write_market,
)


@dataclass
class Server:
    """The real app, launched as ``app.py`` does it, on a small gallery and a network without weights."""

    client: httpx.Client
    workbench: Workbench
    data_dir: Path


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("server")
    gallery = write_market(root / "market")
    hostile = root / "market" / "bounding_box_test" / "0005_c2s1_000777_01.jpg"
    person_image(5, 2, serial=777).save(hostile)
    port = free_port()
    settings = make_settings(
        root, gallery=str(gallery), port=port, max_upload_mb=1, max_gallery_mb=3, max_pixels=2_000_000
    )
    before = dict(os.environ)
    prepare_environment(settings)
    from webapp.launch import launch_arguments  # after the environment, as in app.py
    from webapp.shell import build_app

    workbench = Workbench(settings, load_model=loader_of(ColourNetwork()))
    demo = build_app(workbench)
    workbench.start()
    demo.launch(**launch_arguments(workbench, settings), prevent_thread_lock=True)
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
        yield Server(client, workbench, settings.data_dir)
    demo.close()
    workbench.close()
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
