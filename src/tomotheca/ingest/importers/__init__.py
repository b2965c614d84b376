"""One module per entity: how it is planned, and how its files and document are made."""
