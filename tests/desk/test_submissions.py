"""Offers at the desk."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tomotheca.desk import Desk
from tomotheca.desk.submissions import CONTRIBUTOR, CURATOR, MOVES
from tomotheca.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import Database

FORM = {"title": ("S. pombe lamellae",), "contact-email": ("grace@example.org",)}


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    with Desk.open(database.new()) as opened:
        yield opened


def test_s22_what_was_typed_is_found_by_the_token_alone(desk: Desk) -> None:
    made, token = desk.submissions.create("S. pombe lamellae", FORM)
    assert made.reference == "SUB-1"
    assert desk.submissions.of(token) == made
    assert made.form == FORM
    assert "grace" not in repr(made)
    for wrong in (token[:-1], token + "x", token.swapcase(), "", "\udcff"):
        with pytest.raises(NotFoundError, match="no submission"):
            desk.submissions.of(wrong)
    other, another = desk.submissions.create("b", {})
    assert (other.id, another != token) == (2, True)
    assert [s.id for s in desk.submissions.all("draft")] == [2, 1]


def test_s22_the_token_is_not_at_the_desk(tmp_path: Path) -> None:
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        token = desk.submissions.create("t", FORM)[1]
        desk.backup(tmp_path / "copy.sqlite")
    assert token.encode() not in (tmp_path / "copy.sqlite").read_bytes()


@pytest.mark.parametrize("start", MOVES)
def test_s22_each_side_moves_an_offer_only_where_it_may(desk: Desk, start: str) -> None:
    paths = _paths()
    for side, goal in itertools.product((CONTRIBUTOR, CURATOR), MOVES):
        number = desk.submissions.create("t", FORM)[0].id
        for step_side, step in paths[start]:
            desk.submissions.move(number, step, side=step_side)
        before = len(desk.submissions.notes(number))
        if goal in MOVES[start].get(side, ()):
            assert desk.submissions.move(number, goal, side=side, message="m").status == goal
            assert desk.submissions.notes(number)[-1].message == "m"
        else:
            with pytest.raises(ConflictError, match=f"SUB-{number} is {start.replace('_', ' ')}; from there"):
                desk.submissions.move(number, goal, side=side)
            assert (desk.submissions.get(number).status, len(desk.submissions.notes(number))) == (start, before)


def _paths() -> dict[str, tuple[tuple[str, str], ...]]:
    """Give a way to every status from a draft; every status can be reached."""
    found: dict[str, tuple[tuple[str, str], ...]] = {"draft": ()}
    while len(found) < len(MOVES):
        before = dict(found)
        for start, path in before.items():
            for side, goals in MOVES[start].items():
                for goal in goals:
                    found.setdefault(goal, (*path, (side, goal)))
        assert found != before
    return found


def test_s22_the_form_is_closed_while_curators_have_it(desk: Desk) -> None:
    number = desk.submissions.create("a", {})[0].id
    assert desk.submissions.edit(number, "b", FORM).title == "b"
    sent = desk.submissions.move(number, "submitted", side=CONTRIBUTOR)
    assert sent.submitted_at
    with pytest.raises(ConflictError, match="with the curators"):
        desk.submissions.edit(number, "c", {})
    desk.submissions.move(number, "needs_changes", side=CURATOR)
    assert desk.submissions.edit(number, "c", {}).title == "c"


def test_s21_what_is_accepted_has_a_deposition_of_its_own(desk: Desk) -> None:
    desk.raise_above("deposition", 10_300)

    def accept(_: int) -> int | None:
        number = desk.submissions.create("t", FORM)[0].id
        desk.submissions.move(number, "submitted", side=CONTRIBUTOR)
        return desk.submissions.move(number, "accepted", side=CURATOR).deposition

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(accept, range(8)), key=str) == list(range(10_301, 10_309))
    assert desk.high_water()["deposition"] == 10_308


def test_n10_every_process_signs_with_the_same_secret(database: Database) -> None:
    url = database.new()
    with Desk.open(url) as one, Desk.open(url) as two:
        assert one.submissions.secret() == two.submissions.secret()
        assert len(one.submissions.secret()) >= 32
