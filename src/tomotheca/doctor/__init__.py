"""The doctor: rules about an archive's documents, manifests and headers, each a function that says what it finds."""
