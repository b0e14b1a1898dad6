"""Workers of one run (``pytest -n 2``) share a machine: each gets one compute thread and ports of its own."""

from __future__ import annotations

import os

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker:  # before NumPy, PyTorch and Gradio are imported, which read this once
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    first_port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    os.environ["GRADIO_SERVER_PORT"] = str(first_port + 100 * int(_worker.removeprefix("gw")))
