"""GraphQL: a query is a few SQL statements."""
