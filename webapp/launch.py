"""Start the app with the arguments that keep it private: own routes, guards, no sharing, no history."""

from __future__ import annotations

from typing import Any

from starlette.middleware import Middleware

from reid_core.services import Workbench
from reid_core.settings import Settings
from webapp.routes import UploadLimits, build_routes
from webapp.security import BodyLimit, OriginGuard, SecurityHeaders
from webapp.shell import page_head
from webapp.theme import make_theme

_SPACE_FRAMES = ("https://huggingface.co", "https://*.hf.space")
_GALLERY_UPLOADS = ("/gradio_api/upload", "/gradio_api/reid/v1/galleries/upload")


def launch_arguments(workbench: Workbench, settings: Settings) -> dict[str, Any]:
    """Arguments for ``demo.launch``; ``mount_gradio_app`` would switch Gradio's upload path check off."""
    limits = UploadLimits(
        incoming=settings.data_dir / "incoming",
        max_image_mb=settings.max_upload_mb,
        max_gallery_mb=settings.max_gallery_mb,
    )
    return {
        "server_name": settings.host,
        "server_port": settings.port or None,
        "root_path": settings.root_path or None,
        "theme": make_theme(),
        "head": page_head(),
        "share": False,
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": [],
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "allowed_paths": [],
        "max_file_size": f"{settings.max_gallery_mb}mb",
        "state_session_capacity": 300,
        "show_error": False,
        "quiet": True,
        "app_kwargs": {
            "routes": build_routes(workbench, limits),
            "middleware": middleware(settings),
            "openapi_url": None,
            "docs_url": None,
            "redoc_url": None,
        },
    }


def middleware(settings: Settings) -> list[Middleware]:
    """What every request passes, outermost first."""
    hosts = (*settings.allowed_hosts, *((settings.space_host,) if settings.space_host else ()))
    frames = _SPACE_FRAMES if settings.is_space else ()

    def limit_mb(path: str) -> int:
        # A picture inside a Gradio event is base64 in JSON, a third larger than its file.
        return settings.max_gallery_mb if path.endswith(_GALLERY_UPLOADS) else 2 * settings.max_upload_mb

    return [
        Middleware(SecurityHeaders, may_be_framed_by=frames),
        Middleware(OriginGuard, allowed_hosts=hosts),
        Middleware(BodyLimit, limit_mb=limit_mb),
    ]
