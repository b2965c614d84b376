"""Fictional people, money and dates for the demo's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Json = Mapping[str, object]

INSTITUTE = {
    "affiliation_name": "Institute for Imaginary Microscopy",
    "affiliation_address": "1 Phantom Lane, Nowhere",
}
FACULTY = {
    "affiliation_name": "University of Example, Faculty of Simulated Sciences",
    "affiliation_address": "42 Gaussian Street, Exampleton",
}

PEOPLE: dict[str, Json] = {
    "lindqvist": {
        "name": "Aurelia Lindqvist-Moreau",
        "email": "aurelia@example.org",
        "ORCID": "0000-0002-1825-0097",
        **INSTITUTE,
    },
    "okonjo": {"name": "Tobias Okonjo", "email": "tobias@example.org", **INSTITUTE},
    "haldane": {"name": "Mirela Haldane-Ito", "email": "mirela@example.org", **FACULTY},
    "vasquez": {"name": "Ignatius Vásquez-Brandt", "email": "ignatius@example.org", **FACULTY},
    "petrov": {"name": "Sunniva Petrov", "email": "sunniva@example.org", **INSTITUTE},
    "achterberg": {"name": "Leopold Achterberg", "email": "leopold@example.org", **FACULTY},
}
"""None of them exists. The ORCID is the one that ORCID itself uses as an example; example.org is nobody's address."""


def authors(first: str, *others: str) -> list[Json]:
    """Make a list of authors: the first is the primary one, the last answers questions."""
    names = [first, *others]
    return [
        {**PEOPLE[name], "primary_author_status": name == first, "corresponding_author_status": name == names[-1]}
        for name in names
    ]


def dates(deposited: str, released: str, modified: str | None = None) -> Json:
    """Make a block of dates, each YYYY-MM-DD."""
    return {"deposition_date": deposited, "release_date": released, "last_modified_date": modified or released}


def funding(*grants: tuple[str, str]) -> Sequence[Json]:
    """Make a list of grants from (agency, grant)."""
    return [{"funding_agency_name": agency, "grant_id": grant} for agency, grant in grants]
