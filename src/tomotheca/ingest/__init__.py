"""How data gets in: from a configuration and the files of a lab to documents, volumes and points of the archive."""

from tomotheca.ingest.check import check
from tomotheca.ingest.plan import IngestOptions, plan
from tomotheca.ingest.run import IngestResult, Progress, ingest
from tomotheca.ingest.work import Plan, Step

__all__ = ["IngestOptions", "IngestResult", "Plan", "Progress", "Step", "check", "ingest", "plan"]
