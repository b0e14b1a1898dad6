"""Create the event log and the leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing to version 1."""
    op.create_table(
        "events",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("collection", sa.String(200), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("left_node", sa.Text),
        sa.Column("right_node", sa.Text),
        sa.Column("answer", sa.String(16)),
        sa.Column("is_sure", sa.Boolean),
        sa.Column("reasons", sa.Text, nullable=False, server_default="[]"),
        sa.Column("annotator", sa.String(100), nullable=False),
        sa.Column("decided_at", sa.String(40), nullable=False),
        sa.Column("received_at", sa.String(40), nullable=False),
        sa.Column("ms_taken", sa.Integer),
        sa.Column("stream", sa.String(40)),
        sa.Column("fingerprint", sa.String(80)),
        sa.Column("similarity", sa.Float),
        sa.Column("refers_to", sa.String(64)),
        sa.UniqueConstraint("collection", "event_id", name="uq_events_collection_event_id"),
        sa.CheckConstraint("kind in ('decision', 'retraction')", name="ck_events_kind"),
        sa.CheckConstraint(
            "kind = 'retraction' or "
            "(left_node is not null and right_node is not null and left_node <> right_node)",
            name="ck_events_decision_has_a_pair",
        ),
        sa.CheckConstraint(
            "kind = 'decision' or refers_to is not null", name="ck_events_retraction_has_a_target"
        ),
    )
    op.create_index("ix_events_collection_position", "events", ["collection", "position"])
    op.create_table(
        "leases",
        sa.Column("collection", sa.String(200), primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("annotator", sa.String(100), nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Judgements are never thrown away by a migration."""
    raise NotImplementedError("Restore a backup instead: going back would drop the judgements.")
