"""The short texts that go with every downloaded tree: licence, citation, a word on what is inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tomotheca.export.citing import Citation, as_bibtex, as_cff

LICENCES = {
    "CC0-1.0": ("CC0 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0 International", "https://creativecommons.org/licenses/by/4.0/"),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution-ShareAlike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution-NonCommercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
}


def licence_address(identifier: str) -> str:
    """Give the page of a licence by its SPDX identifier."""
    return LICENCES.get(identifier, ("", f"https://spdx.org/licenses/{identifier}.html"))[1]


def licence(c: Citation) -> str:
    """Say what one may do with the data."""
    if not c.licence:
        return (
            f"No licence stated for {c.identifier} ({c.url}).\n"
            "Ask its authors before you use it in other ways than the law allows.\n"
        )
    name = LICENCES.get(c.licence, (c.licence, ""))[0]
    return f"{c.identifier}: {c.title}\n{c.url}\n\nLicence: {name}\nSPDX-License-Identifier: {c.licence}\n{licence_address(c.licence)}\n"


def readme(c: Citation) -> str:
    """Say what the folder holds and how to check it."""
    people = "; ".join(a.inverted for a in c.authors)
    return (
        f"{c.title}\n{'=' * min(len(c.title), 100)}\n\n{c.identifier}, from {c.site}: {c.url}\n"
        f"Authors: {people or 'not recorded'}\n"
        + "".join(f"Please also cite: {one}\n" for one in c.also)
        + "\nThe folders are those of the archive: one per run, below it Frames, Gains, TiltSeries, Alignments and Reconstructions.\n"
        "Every folder has a JSON document that describes its files. To check the files, in the folder where the download\n"
        "began: sha256sum -c SHA256SUMS\n"
        "LICENSE.txt says what you may do with them, CITATION.bib and CITATION.cff how to cite them.\n"
    )


TEXTS: Mapping[str, Callable[[Citation], str]] = {
    "CITATION.bib": as_bibtex,
    "CITATION.cff": as_cff,
    "LICENSE.txt": licence,
    "README.txt": readme,
}
