"""Every option in one place. The only module that reads or writes the process environment.

An option comes from, in this order: the command line (``--data-dir``), the environment (``REID_DATA_DIR``),
the default below. ``docs/settings.md`` holds the table that ``settings_table`` prints.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from reid_core.errors import InputError
from reid_core.images import MAX_PIXELS

ENV_PREFIX = "REID_"
_PLATFORM_FIELDS = frozenset({"space_id", "space_host"})
"""Set by Hugging Face Spaces, not by a person: neither an option nor in the table."""

Names = Annotated[tuple[str, ...], NoDecode]
"""Several words in one option, separated by commas."""


class Settings(BaseSettings):
    """All options of the app, checked when built and never changed afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, populate_by_name=True
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. 0.0.0.0 lets other machines in; there is no login. "
        "On Hugging Face Spaces the default is 0.0.0.0.",
    )
    port: int = Field(
        7860, ge=0, le=65535, description="Port to listen on; 0 takes the first free one from 7860 on."
    )
    root_path: str = Field("", description="Path prefix behind a reverse proxy, e.g. /reid.")
    allowed_hosts: Names = Field(
        (),
        description="Further names this server is reached by, separated by commas, e.g. reid.lab.example. "
        "localhost, IP addresses and this machine's own name always work; other names are refused.",
    )
    data_dir: Path = Field(
        Path("data"),
        description="Folder for everything the app writes: galleries, embeddings, thumbnails, uploads, "
        "caches.",
    )
    annotation_db: str = Field(
        "",
        description="Database of the judgements, as an SQLAlchemy address, e.g. "
        "postgresql+psycopg://user@host/reid. Empty: annotations.sqlite in the data folder.",
    )
    gallery: str = Field(
        "",
        description="Gallery to open first: the name of one in the data folder, or the path of a folder, "
        "zip, CSV or Market-1501 tree to read. Empty: the demo city.",
    )
    weights: str = Field(
        "demo", description="Weights to search with: demo, a name of the registry, or the path of a file."
    )
    extra_weights: Names = Field(
        (), description="Further weights offered in the app (names or paths), separated by commas."
    )
    engine: str = Field("auto", description="What runs the network: auto, torch or onnxruntime.")
    device: str = Field("auto", description="Where the network runs: auto, cpu, cuda or cuda:N.")
    rerank_candidates: int = Field(
        300, ge=20, le=2000, description="How many of the nearest images the re-ranking switch looks at."
    )
    local_paths: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether the page may read galleries from paths of this machine: auto means yes while "
        "only this machine can reach the app.",
    )
    max_upload_mb: int = Field(25, ge=1, description="Largest query image that is accepted, in megabytes.")
    max_pixels: int = Field(
        MAX_PIXELS,
        ge=10_000,
        le=MAX_PIXELS,
        description="Largest image that is decoded, in pixels (width times height).",
    )
    max_gallery_mb: int = Field(
        4096, ge=1, description="Largest gallery archive that is accepted, packed or unpacked, in megabytes."
    )
    max_gallery_images: int = Field(
        200_000, ge=1, description="Most images a gallery may hold; a larger one is refused, never cut."
    )
    upload_retention_days: int = Field(
        30, ge=1, description="Days without use after which an uploaded query picture is deleted."
    )
    max_stored_uploads: int = Field(
        2000, ge=1, description="Most uploaded query pictures that are kept; the longest unused goes first."
    )
    thumbnail_memory_mb: int = Field(64, ge=1, description="Memory for thumbnails, in megabytes.")
    offline: bool = Field(
        False,
        description="Never open a connection to the outside; known weights must be in the cache already.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged: debug, info, warning or error."
    )
    space_id: str = Field("", validation_alias="SPACE_ID", description="Set by Hugging Face Spaces.")
    space_host: str = Field("", validation_alias="SPACE_HOST", description="Set by Hugging Face Spaces.")

    @model_validator(mode="before")
    @classmethod
    def _listen_to_the_platform(cls, values: Any) -> Any:
        """A Space reaches its app from outside the container, so there the default is all interfaces."""
        if not isinstance(values, Mapping) or "host" in values:
            return values
        on_a_space = values.get("SPACE_ID") or values.get("space_id")
        return {**values, "host": "0.0.0.0"} if on_a_space else values

    @field_validator("allowed_hosts", "extra_weights", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("data_dir", mode="after")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("root_path", mode="after")
    @classmethod
    def _shape_prefix(cls, value: str) -> str:
        prefix = value.strip("/")
        return f"/{prefix}" if prefix else ""

    @property
    def annotation_url(self) -> str:
        """The database of the judgements, as SQLAlchemy names it."""
        return self.annotation_db or f"sqlite:///{self.data_dir / 'annotations.sqlite'}"

    @property
    def is_space(self) -> bool:
        """Whether the app runs on Hugging Face Spaces."""
        return bool(self.space_id)

    @property
    def allows_local_paths(self) -> bool:
        """Whether the page may name a folder of this machine to read."""
        is_private = self.host in ("localhost", "::1") or self.host.startswith("127.")
        return self.local_paths == "yes" or (self.local_paths == "auto" and is_private)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Default weights first, then the further ones, each once."""
        return tuple(dict.fromkeys((self.weights, *self.extra_weights)))


def load_settings(**overrides: Any) -> Settings:
    """Build the settings; ``overrides`` win over the environment.

    Raises:
        InputError: A value is of the wrong kind or out of range; the message names option and variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InputError(" ".join(_explain(item) for item in error.errors())) from None


def _explain(item: Mapping[str, Any]) -> str:
    name = str(item["loc"][0]) if item["loc"] else "?"
    if name not in Settings.model_fields:
        return f"There is no setting {name!r}. docs/settings.md lists them all."
    return (
        f"{_option(name)} (or {_variable(name)}) is {item['input']!r}: {item['msg']}. "
        f"{Settings.model_fields[name].description}"
    )


def add_settings_arguments(parser: argparse.ArgumentParser, names: tuple[str, ...] = ()) -> None:
    """Give ``parser`` an option for every setting (or only for ``names``), its variable named in the help."""
    for name, field in Settings.model_fields.items():
        if name in _PLATFORM_FIELDS or (names and name not in names):
            continue
        text = f"{field.description} [{_variable(name)}; default: {_default(name) or 'empty'}]"
        help_text = text.replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(
                _option(name),
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,
                help=help_text,
            )
        else:
            parser.add_argument(_option(name), metavar="VALUE", default=argparse.SUPPRESS, help=help_text)


def settings_from_arguments(arguments: argparse.Namespace) -> Settings:
    """Settings from what the command line gave, the environment, and the defaults, in this order.

    Raises:
        InputError: A value is of the wrong kind or out of range.
    """
    given = {name: value for name, value in vars(arguments).items() if name in Settings.model_fields}
    return load_settings(**given)


def settings_table() -> str:
    """The Markdown table of every setting that ``docs/settings.md`` shows."""
    rows = ["| option | variable | default | what it does |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        if name not in _PLATFORM_FIELDS:
            default = f"`{_default(name)}`" if _default(name) else "empty"
            rows.append(f"| `{_option(name)}` | `{_variable(name)}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def prepare_environment(settings: Settings) -> None:
    """Tell the libraries, before they are imported, to stay quiet and to write inside the data folder only.

    A person's own Hugging Face cache is respected: ``HF_HOME`` is set only where nobody set it.
    """
    caches = settings.data_dir / "cache"
    forced = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SSR_MODE": "false",
        "GRADIO_TEMP_DIR": str(caches / "gradio"),
        "GRADIO_EXAMPLES_CACHE": str(caches / "gradio-examples"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TMPDIR": str(caches / "tmp"),
    }
    if settings.offline:
        forced["HF_HUB_OFFLINE"] = "1"
    os.environ.update(forced)
    for name, folder in (
        ("HF_HOME", "huggingface"),
        ("NUMBA_CACHE_DIR", "numba"),
        ("MPLCONFIGDIR", "matplotlib"),
    ):
        os.environ.setdefault(name, str(caches / folder))
    (caches / "tmp").mkdir(parents=True, exist_ok=True)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return ENV_PREFIX + name.upper()


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def torchrun_place(environment: Mapping[str, str] | None = None) -> tuple[int, int, int]:
    """(rank, number of processes, rank on this machine) as ``torchrun`` sets them; (0, 1, 0) without it.

    Raises:
        InputError: A variable is set to something else than a number.
    """
    values = os.environ if environment is None else environment
    try:
        rank, size, local = (
            int(values.get(name, default))
            for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
        )
    except ValueError as error:
        raise InputError(
            f"RANK, WORLD_SIZE or LOCAL_RANK in the environment is no number ({error}); torchrun sets them."
        ) from error
    return rank, size, local
