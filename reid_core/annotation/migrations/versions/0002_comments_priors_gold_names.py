"""Add comments, the frozen support of labels, gold pairs and names of identities."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """From version 1 to version 2; judgements stay as they are."""
    op.add_column("events", sa.Column("comment", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "priors",
        sa.Column("collection", sa.String(200), primary_key=True),
        sa.Column("crop", sa.Text, primary_key=True),
        sa.Column("support", sa.Float, nullable=False),
    )
    op.create_table(
        "gold",
        sa.Column("collection", sa.String(200), primary_key=True),
        sa.Column("left_node", sa.Text, primary_key=True),
        sa.Column("right_node", sa.Text, primary_key=True),
        sa.Column("answer", sa.String(16), nullable=False),
    )
    op.create_table(
        "names",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("collection", sa.String(200), nullable=False),
        sa.Column("name_id", sa.String(64), nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("annotator", sa.String(100), nullable=False),
        sa.Column("decided_at", sa.String(40), nullable=False),
        sa.UniqueConstraint("collection", "name_id", name="uq_names_collection_name_id"),
    )


def downgrade() -> None:
    """Judgements are never thrown away by a migration."""
    raise NotImplementedError("Restore a backup instead: going back would drop the judgements.")
