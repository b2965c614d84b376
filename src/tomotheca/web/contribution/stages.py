"""How far a submission has come, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """What a status means to its contributor."""

    name: str
    meaning: str
    next: str
    style: str = "plain"
    """Class of the badge."""


STAGES: Mapping[str, Stage] = {
    "draft": Stage("Draft", "Only you can see it, at this address.", "Fill in the form and send it."),
    "submitted": Stage("Submitted", "The curators have it.", "A curator reads it and answers within about {days} working days.", "fair"),
    "in_review": Stage("In review", "A curator is reading it.", "A curator answers within about {days} working days.", "fair"),
    "needs_changes": Stage("Needs changes", "A curator asks for changes; the messages below say which.", "Change the form below and send it again.", "poor"),
    "accepted": Stage("Accepted", "The data are welcome, and {deposition} is reserved for them.", "Hand the data over as described below.", "good"),
    "validating": Stage("Validating", "The files are being checked.", "The report appears here.", "fair"),
    "problems_found": Stage("Problems found", "Some files cannot be used as they are; the messages below say which.", "Mend them and send a message when that is done.", "poor"),
    "ready": Stage("Ready", "Everything was checked and can be released.", "A curator releases the data.", "good"),
    "embargoed": Stage("Embargoed", "The data are here and stay hidden for the time that was agreed.", "They are released when that time ends.", "good"),
    "released": Stage("Released", "Everybody can see the data.", "Cite them by the page of their deposition.", "good"),
    "declined": Stage("Declined", "The curators cannot take these data; the messages below say why.", "Send a message if anything was misunderstood."),
    "withdrawn": Stage("Withdrawn", "This offer was taken back.", "Nothing more happens."),
}  # fmt: skip
"""By status."""
