"""Somebody else's archive becomes part of ours: documents are completed, files are listed, nothing else changes."""

from tomotheca.ingest.adopt.plan import Adoption, Options, plan
from tomotheca.ingest.adopt.run import Adopted, adopt

__all__ = ["Adopted", "Adoption", "Options", "adopt", "plan"]
