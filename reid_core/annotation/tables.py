"""The annotation database. Migrations create it; this module is what the store reads and writes."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("collection", String(200), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("left_node", Text),
    Column("right_node", Text),
    Column("answer", String(16)),
    Column("is_sure", Boolean),
    Column("reasons", Text, nullable=False, server_default="[]"),
    Column("annotator", String(100), nullable=False),
    Column("decided_at", String(40), nullable=False),
    Column("received_at", String(40), nullable=False),
    Column("ms_taken", Integer),
    Column("stream", String(40)),
    Column("fingerprint", String(80)),
    Column("similarity", Float),
    Column("refers_to", String(64)),
    Column("comment", Text, nullable=False, server_default=""),
    Column("seen_revisions", Text, nullable=False, server_default="[]"),
    UniqueConstraint("collection", "event_id", name="uq_events_collection_event_id"),
    CheckConstraint("kind in ('decision', 'retraction')", name="ck_events_kind"),
    CheckConstraint(
        "kind = 'retraction' or "
        "(left_node is not null and right_node is not null and left_node <> right_node)",
        name="ck_events_decision_has_a_pair",
    ),
    CheckConstraint("kind = 'decision' or refers_to is not null", name="ck_events_retraction_has_a_target"),
    Index("ix_events_collection_position", "collection", "position"),
)
"""Only ever added to. ``refers_to`` is what a decision supersedes or a retraction takes back."""

leases = Table(
    "leases",
    metadata,
    Column("collection", String(200), primary_key=True),
    Column("item", Text, primary_key=True),
    Column("annotator", String(100), nullable=False),
    Column("expires_at", Float, nullable=False),
)
"""Who is looking at which queue item until when (seconds since 1970)."""

priors = Table(
    "priors",
    metadata,
    Column("collection", String(200), primary_key=True),
    Column("crop", Text, primary_key=True),
    Column("support", Float, nullable=False),
)
"""How well each crop fitted its label when the first judgement was made; see ``IdentityGraph``. Written once,
so that the same log always gives the same identities, whichever model is chosen later."""

gold = Table(
    "gold",
    metadata,
    Column("collection", String(200), primary_key=True),
    Column("left_node", Text, primary_key=True),
    Column("right_node", Text, primary_key=True),
    Column("answer", String(16), nullable=False),
)
"""Pairs whose answer is known, to measure annotators."""

names = Table(
    "names",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("collection", String(200), nullable=False),
    Column("name_id", String(64), nullable=False),
    Column("node", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("annotator", String(100), nullable=False),
    Column("decided_at", String(40), nullable=False),
    UniqueConstraint("collection", "name_id", name="uq_names_collection_name_id"),
)
"""Names that people gave to identities. Only ever added to: a new name keeps the old one as an alias."""
