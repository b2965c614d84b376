"""How it is found: tables from the schema, rows from the documents, one query language, one condition of visibility."""
