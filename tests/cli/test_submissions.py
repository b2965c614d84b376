"""`tomotheca submissions`: what curators do with offers, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.mailbox import receiving
from tests.api.serving import run_cli

from tomotheca.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

FORM = {"title": ("Lamellae of S. pombe",), "kind": ("datasets",), "contact-email": ("grace@example.org",)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a portal with an offer, and a draft."""
    (tmp_path / "state").mkdir()
    with Desk.open(tmp_path / "state/desk.sqlite") as desk:
        number = desk.submissions.create(FORM["title"][0], FORM)[0].id
        desk.submissions.move(number, "submitted", side="contributor")
        desk.submissions.create("A draft", {})
    return tmp_path


def ask(root: Path, *words: str, **names: str) -> Any:
    done = run_cli("submissions", *words, "--json", "--root", root, check=True, **names)
    return json.loads(done.stdout)


def test_s22_offers_are_listed_and_shown_and_drafts_are_not(root: Path) -> None:
    assert [(s["reference"], s["status"]) for s in ask(root, "list")] == [("SUB-1", "submitted")]
    assert [s["title"] for s in ask(root, "list", "--status", "draft")] == ["A draft"]
    found = ask(root, "show", "sub-1")
    assert found["form"]["contact-email"] == ["grace@example.org"]
    assert [n["status"] for n in found["notes"]] == ["submitted"]
    plain = run_cli("submissions", "list", "--root", root, check=True).stdout
    assert "grace@example.org" not in plain
    assert plain.startswith("SUB-1    submitted")


def test_s22_a_curator_moves_an_offer_and_its_contributor_is_told(root: Path) -> None:
    with receiving() as box:
        names = {
            "TOMOTHECA_SMTP_HOST": "127.0.0.1",
            "TOMOTHECA_SMTP_PORT": str(box.port),
            "TOMOTHECA_MAIL_FROM": "p@example.org",
        }
        asked = ask(root, "set", "SUB-1", "in-review", "--message", "Reading it.", **names)
    assert (asked["status"], asked["mailed"]) == ("in review", True)
    assert box.recipients == ["grace@example.org"]
    assert b"Reading it." in box.messages[0].get_payload(decode=True)  # type: ignore[operator]  # plain text is bytes
    accepted = ask(root, "set", "SUB-1", "accepted")
    assert (accepted["deposition"], accepted["mailed"]) == (10_001, False)
    assert ask(root, "show", "SUB-1")["notes"][1]["message"] == "Reading it."


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("show", "SUB-9"), 3, "there is no submission SUB-9"),
        (("show", "gold"), 2, "write SUB-3"),
        (("set", "SUB-1", "gold"), 2, "is no status"),
        (("set", "SUB-1", "released"), 5, "SUB-1 is submitted; from there it can become in review or"),
    ],
)
def test_s22_mistakes_are_sentences(root: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    done = run_cli("submissions", *words, "--root", root, check=False)
    assert sentence in " ".join((done.stderr + done.stdout).replace("│", " ").split())
    assert done.returncode == code
