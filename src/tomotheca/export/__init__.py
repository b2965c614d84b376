"""What leaves the catalogue for somebody's disk: which files, as what, with which citation."""
