"""Keep what the doctor finds, and what is to be left as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "diagnosis",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("where", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("mend", sa.Text, nullable=False),
        sa.Column("first_seen", sa.String, nullable=False),
        sa.Column("last_seen", sa.String, nullable=False),
        sa.Column("resolved_at", sa.String),
    )
    op.create_index("diagnosis_place", "diagnosis", ["rule", "where", "path"], unique=True)
    op.create_table(
        "waiver",
        sa.Column("rule", sa.String, primary_key=True),
        sa.Column("where", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.String, nullable=False),
    )
