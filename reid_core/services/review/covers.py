"""Names under which crops of blind questions go to a page: a crop's id often begins with its label.

A name says nothing to whoever has no access to the data folder, and stays the same over a restart, because
answers may wait in a browser for days.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reid_core.annotation import IdentityGraph
from reid_core.annotation.questions import pair_key
from reid_core.services.files import write_bytes_atomically
from reid_core.services.review.records import CropFace

_SECRET_BYTES = 32
_COVER = r"blind-[0-9a-f]{24}"
_KEY = re.compile(rf"pair:({_COVER})\|({_COVER})")


def kept_secret(path: Path) -> bytes:
    """The random bytes of this file, for its owner alone; made if there is none."""
    if not path.exists():
        write_bytes_atomically(path, secrets.token_bytes(_SECRET_BYTES))
    return path.read_bytes()


def is_cover(name: Any) -> bool:
    """Whether this is a name of the kind that ``Covers`` gives."""
    return isinstance(name, str) and re.fullmatch(_COVER, name) is not None


class Covers:
    """Cover names of the crops and identities of one gallery.

    Args:
        collection: The gallery's name: the same crop has another name elsewhere.
        secret: What names are made with.
        all_nodes: Every node that can have been named, asked only for names of before a restart.
    """

    def __init__(self, collection: str, secret: bytes, all_nodes: Callable[[], Iterable[str]]) -> None:
        self._collection, self._secret, self._all_nodes = collection, secret, all_nodes
        self._nodes: dict[str, str] = {}

    def cover(self, node: str) -> str:
        """The name to show instead of a node."""
        digest = hmac.digest(self._secret, f"{self._collection}\n{node}".encode(), "sha256")
        name = f"blind-{digest.hex()[:24]}"
        self._nodes[name] = node
        return name

    def face(self, face: CropFace) -> CropFace:
        """A crop without its label; the address of its picture is a hash of the content."""
        return replace(face, node=self.cover(face.node), crop=self.cover(face.crop), pid=None)

    def uncover(self, name: str) -> str:
        """The node behind a cover; any other name, and one that no node has, as it is."""
        if is_cover(name) and name not in self._nodes:
            for node in self._all_nodes():
                self.cover(node)
        return self._nodes.get(name, name)

    def uncover_key(self, key: str) -> str:
        """A question's key, with the nodes behind its covers."""
        covered = _KEY.fullmatch(key)
        return pair_key(self.uncover(name) for name in covered.groups()) if covered else key

    def uncover_answer(self, sent: Any, graph: IdentityGraph) -> Any:
        """An answer as a page sends it, with the nodes behind its covers; any other one as it is.

        What it saw of a node is the length of the log, because equal revisions tell that two nodes are one
        identity; where nothing happened to the node since, that stands for its revision.
        """
        if not isinstance(sent, Mapping) or not (is_cover(sent.get("left")) and is_cover(sent.get("right"))):
            return sent
        plain = {**sent, "left": self.uncover(sent["left"]), "right": self.uncover(sent["right"])}
        if isinstance(sent.get("key"), str):
            plain["key"] = self.uncover_key(sent["key"])
        seen = sent.get("seen")
        if isinstance(seen, Mapping) and all(isinstance(length, int) for length in seen.values()):
            nodes = {self.uncover(str(name)): length for name, length in seen.items()}
            plain["seen"] = {node: _seen_revision(graph, node, length) for node, length in nodes.items()}
        return plain


def _seen_revision(graph: IdentityGraph, node: str, length: int) -> int:
    is_of_this_log = length <= len(graph)
    return min(length, graph.revision(node)) if is_of_this_log else length
