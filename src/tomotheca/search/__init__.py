"""Full-text search over the catalogue and the bundled documentation: one engine, the same on SQLite and PostgreSQL."""
