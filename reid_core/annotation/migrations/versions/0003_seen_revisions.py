"""Keep the revisions of identities that were on the annotator's screen."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From version 2 to version 3; earlier decisions have none."""
    op.add_column("events", sa.Column("seen_revisions", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    """Judgements are never thrown away by a migration."""
    raise NotImplementedError("Restore a backup instead: going back would drop what people saw.")
