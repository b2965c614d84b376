"""A deposition that is removed takes with it what it has added to the runs of others."""

from __future__ import annotations

from typing import Any

import pytest
from tests.ingest.test_objects_and_additions import RUN, addition, objects, second
from tests.ingest.test_removal import DeathError, Mortal, findings

from tomotheca.desk.desk import Desk
from tomotheca.ingest import removal, withdrawal
from tomotheca.schema import Deposition
from tomotheca.store import layout, manifest, tree
from tomotheca.store.verify import verify

WHY = removal.Why("remove", "a test")


@pytest.fixture
def added(lab: Any) -> Any:
    """Give a lab to whose dataset deposition 10401 has added a gain reference, identified objects and an annotation."""
    lab.ingest()
    lab.before = lab.snapshot(), lab.documents()
    (lab.root / "extra.gain").write_bytes(b"another")
    objects(lab)
    config = addition(lab, identified_objects=lab.config.pop("identified_objects"))
    config["gains"] = [{"sources": [{"source_glob": {"list_glob": "extra.gain"}}]}]
    assert not second(lab, config).failed
    return lab


def withdraw(lab: Any, files: Any) -> removal.Removed:
    found = tuple(withdrawal.find(files, 10401))
    keys = [(model, key) for model, key in tree.documents(files, 10900)]
    papers = [p for p in removal.read(files, keys) if p.deposition == 10401 and p.kind != "run"]
    own = layout.Deposition(10401).document
    papers += removal.read(files, [(Deposition, own)] if files.exists(own) else [])
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        return removal.remove(files, desk, papers, WHY, withdrawn=found)


def as_before(lab: Any) -> None:
    files, documents = lab.before
    assert set(lab.snapshot()) == set(files)
    same = {k: {**d, "last_updated_at": None} for k, d in lab.documents().items()}
    assert same == {k: {**d, "last_updated_at": None} for k, d in documents.items()}
    for folder in {layout.manifest_folder(k) for _, k in tree.documents(lab.files, 10900)}:
        assert [f for e in manifest.read(lab.files, folder) if (f := verify(lab.files, e, thorough=True))] == []
    assert findings(lab) == ()


def test_all_is_as_it_was_before(added: Any) -> None:
    done = withdraw(added, added.files)
    assert f"additions of deposition 10401 to run TS_1, dataset {RUN.partition('/')[0]}" in done.names
    as_before(added)
    assert added.ingest().written == 0
    assert withdraw(added, added.files) == removal.Removed()


def test_dying_at_every_step(added: Any) -> None:
    life = 0
    while True:
        try:
            withdraw(added, Mortal(added.archive, life))
        except DeathError:
            life += 1
            assert findings(added) == ()
            continue
        break
    assert life > 5
    with Desk.open(added.folder / "desk.sqlite") as desk:
        removal.finish(added.files, desk)
    as_before(added)
