"""``tomotheca`` without waiting for its imports: one process has loaded the program, and a copy of it does each command.

A copy is a process of its own, with its own environment, folder, streams and end, and runs ``python -m tomotheca`` from its first line on. Tests that
kill a command while it starts, that measure it or that limit it start it the long way.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).parent.parent
LONGEST = 1 << 18
"""Bytes of a command with its environment."""


class Child:
    """A command that runs, much as ``subprocess.Popen`` has it."""

    def __init__(self, words: Sequence[str | Path], *, env: Mapping[str, str], cwd: str | Path | None = None) -> None:
        self.args = [sys.executable, "-m", "tomotheca", *map(str, words)]
        self.returncode: int | None = None
        news, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._open = contextlib.ExitStack()
        self._news = self._open.enter_context(news)
        self._out, self._err = map(self._open.enter_context, (tempfile.TemporaryFile(), tempfile.TemporaryFile()))  # noqa: SIM115
        order = {"words": list(map(str, words)), "env": dict(env), "cwd": str(cwd or Path.cwd())}
        with theirs:
            socket.send_fds(
                _orders(), [json.dumps(order).encode()], [theirs.fileno(), self._out.fileno(), self._err.fileno()]
            )
        self.pid = self._hear()

    def poll(self) -> int | None:
        """Give what it ended with, if it has."""
        if self.returncode is None and select.select([self._news], [], [], 0)[0]:
            self.returncode = self._hear()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            if not select.select([self._news], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._hear()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and give what it said."""
        self.wait(timeout)
        return self.said

    @property
    def said(self) -> tuple[str, str]:
        """Give what it has said so far, on both streams."""
        return _text(self._out), _text(self._err)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            self.wait()

    def _hear(self) -> int:
        if not (said := self._news.recv(64)):
            message = "the process that has loaded the program is gone"
            raise RuntimeError(message)
        return int(said)


def run(
    *words: str | Path, env: Mapping[str, str], cwd: str | Path | None = None, check: bool = False, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Do a command and wait for it."""
    with Child(words, env=env, cwd=cwd) as child:
        try:
            out, err = child.communicate(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    done = subprocess.CompletedProcess(child.args, child.wait(), out, err)
    if check:
        done.check_returncode()
    return done


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return io.TextIOWrapper(io.BytesIO(stream.read())).read()


@cache
def _orders() -> socket.socket:
    """Start the process that loads the program; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        loaded = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def end() -> None:
        ours.close()
        loaded.wait()

    atexit.register(end)
    return ours


def load() -> None:
    """Load all of the program."""
    import tomotheca

    for module in pkgutil.walk_packages(tomotheca.__path__, "tomotheca."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    importlib.import_module("granian.server.mp")


def serve(orders: socket.socket) -> dict[str, Any] | None:
    """Make a copy of this process for each order, and tell how it ended.

    Returns
    -------
    dict
        The order, in a copy; None in this process, when no more orders can come.
    """
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([orders, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with running.pop(pid) as news:
                        tell(news, os.waitstatus_to_exitcode(status))
        if orders not in ready:
            continue
        said, handles, _, _ = socket.recv_fds(orders, LONGEST, 3)
        if not said:
            return None
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for each in (orders, woken, wake, *running.values()):
                each.close()
            order: dict[str, Any] = json.loads(said)
            return {**order, "handles": handles}
        running[pid] = socket.socket(fileno=handles[0])
        for handle in handles[1:]:
            os.close(handle)
        tell(running[pid], pid)


def tell(news: socket.socket, number: int) -> None:
    """Say something to who gave an order, unless nobody listens any more."""
    with contextlib.suppress(OSError):
        news.send(str(number).encode())


def become(order: dict[str, Any]) -> None:
    """Turn into the command: from here on all is as in a process that began with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    news, out, err = order["handles"]
    os.close(news)
    for handle, stream in ((out, 1), (err, 2)):
        os.dup2(handle, stream)
        os.close(handle)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["tomotheca", *order["words"]]
    runpy.run_module("tomotheca", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    load()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as given:
        mine = serve(given)
    if mine is not None:
        become(mine)
