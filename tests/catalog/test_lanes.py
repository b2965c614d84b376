"""Threads for requests: few, and what is slow waits for its like only."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar

import pytest
from tests.api.serving import in_its_own_loop

from tomotheca.catalog.lanes import Lanes, Pace

WAITS = 30


def test_what_is_slow_holds_nothing_else_up() -> None:
    lanes, slow, go = Lanes("test", near=True, alone=True), Pace(limit=0.01), threading.Event()
    slow.note(1.0)

    async def work() -> list[str]:
        held = [asyncio.create_task(lanes.run(slow, lambda: go.wait(WAITS))) for _ in range(4)]
        found = [await lanes.run(Pace(), lambda: "quick") for _ in range(3)]
        go.set()
        assert all(await asyncio.gather(*held))
        return found

    assert in_its_own_loop(work()) == ["quick"] * 3


@pytest.mark.parametrize(("near", "alone", "most"), [(True, True, 1), (True, False, 2), (False, False, 8)])
def test_as_many_work_at_once_as_pays(near: bool, alone: bool, most: int) -> None:
    lanes, lock, now, seen = Lanes("test", near=near, alone=alone), threading.Lock(), [0], []

    def counted() -> None:
        with lock:
            now[0] += 1
            seen.append(now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1

    async def work() -> None:
        await asyncio.gather(*(lanes.run(Pace(), counted) for _ in range(16)))

    in_its_own_loop(work())
    assert len(seen) == 16
    assert max(seen) == most


def test_a_thread_knows_for_whom_it_works() -> None:
    lanes, name = Lanes("test", near=True), ContextVar("name", default="nobody")

    async def work(who: str) -> str:
        name.set(who)
        await asyncio.sleep(0)
        return await lanes.run(Pace(), name.get)

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(work(who) for who in "abc"))

    assert in_its_own_loop(all_of_them()) == ["a", "b", "c"]


def test_a_handler_that_takes_long_waits_with_its_like() -> None:
    lanes, go, began = Lanes("test", near=True, alone=True), threading.Event(), threading.Event()

    def answer(wanted: str) -> str:
        if wanted == "long":
            time.sleep(1.0)
        if wanted == "longest":
            began.set()
            go.wait(WAITS)
        return wanted

    slow, quick = lanes.taking(answer), lanes.taking(answer)

    async def work() -> list[str]:
        assert await slow("long") == "long"
        held = asyncio.create_task(slow("longest"))
        await asyncio.to_thread(began.wait, WAITS)
        found = [await quick("quick") for _ in range(3)]
        go.set()
        return [*found, await held]

    assert in_its_own_loop(work()) == ["quick"] * 3 + ["longest"]
