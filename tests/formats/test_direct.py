import threading
from collections import deque

import pytest

from tomotheca.formats import direct


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(direct, "_kept", deque())


def test_memory_that_came_back_is_lent_again_and_never_twice_at_once():
    nbytes = 3 << 20
    with direct.lent(nbytes) as one, direct.lent(nbytes) as other:
        assert one is not other
        assert min(len(one), len(other)) >= nbytes
    with direct.lent(nbytes) as again:
        assert again is one or again is other


def test_memory_that_is_kept_is_bounded():
    def hold(barrier):
        with direct.lent(direct.KEPT // 4):
            barrier.wait(10)

    barrier = threading.Barrier(6)
    threads = [threading.Thread(target=hold, args=(barrier,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(len, direct._kept)) <= direct.KEPT
