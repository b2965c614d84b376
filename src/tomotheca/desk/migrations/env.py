"""Run migrations on the connection that the desk has open."""

from alembic import context

from tomotheca.desk.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
