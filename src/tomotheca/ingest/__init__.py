"""How data gets in: from a configuration and the files of a lab to documents, volumes and points of the archive."""
