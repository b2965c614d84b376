"""Where data lies: layout, files, manifests and documents of the archive."""
