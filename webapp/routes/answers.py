"""What our addresses share: reading fields, records as JSON, errors as status codes. No Gradio here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from reid_core.errors import GalleryNotReadyError, LabelConflictError, ReidError, StaleViewError

PREFIX = "/gradio_api/reid"
FOR_EVER = "private, max-age=31536000, immutable"

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})

Handler = Callable[[Request], Awaitable[Response]]


class RequestError(Exception):
    """A request that cannot be answered, with its status code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answering(handler: Handler) -> Handler:
    """Turn errors into JSON with a status code: what a person can mend is 4xx, never a traceback."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RequestError as error:
            return _error(error.status, str(error))
        except GalleryNotReadyError as error:
            return _error(409, str(error), {"Retry-After": "2"})
        except (StaleViewError, LabelConflictError) as error:
            return _error(409, str(error))
        except ReidError as error:
            return _error(400, str(error))
        except HTTPException as error:
            return _error(error.status_code, str(error.detail))
        except ClientDisconnect:
            return _error(400, "The connection ended before the request was complete.")

    return answer


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {"error": message}, status_code=status, headers={**(headers or {}), "Cache-Control": "no-store"}
    )


def text_field(form: FormData, name: str) -> str:
    """One text field of a form, stripped; empty where it was not sent."""
    values = form.getlist(name)
    if len(values) > 1 or any(not isinstance(value, str) for value in values):
        raise RequestError(400, f"The field {name!r} has to be one text.")
    return str(values[0]).strip() if values else ""


def whole_number(text: str | None, name: str, lowest: int, highest: int) -> int | None:
    """A whole number within bounds; None for an empty text."""
    if text is None or not text.strip():
        return None
    if not re.fullmatch(r"[+-]?\d{1,10}", text.strip(), re.ASCII) or not lowest <= int(text) <= highest:
        raise RequestError(
            400, f"{name} is {text[:40]!r}; expected a whole number from {lowest} to {highest}."
        )
    return int(text)


def number(text: str, name: str) -> float | None:
    """A number of seconds; None for an empty text."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise RequestError(400, f"{name} is {text[:40]!r}; expected a number of seconds.") from None


def switch(text: str, name: str) -> bool | None:
    """True or false in the usual words; None for an empty text."""
    if not text:
        return None
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise RequestError(400, f"{name} is {text[:40]!r}; expected true or false.")


def plain(value: Any) -> Any:
    """A record, and what is in it, as JSON can hold it."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, tuple) else value
