"""A small mail server: what RFC 5321 asks of one that receives, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message


@dataclass
class Mailbox:
    """What came."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Mailbox]:
    """Run the server in a thread while the block runs."""
    box, loop, ready = Mailbox(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(lambda r, w: _talk(box, r, w), "127.0.0.1", 0)
        box.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield box
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _talk(box: Mailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 test\r\n")
    while line := await reader.readline():
        word = line.split(b" ", 1)[0].strip().upper()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            body = (await reader.readuntil(b"\r\n.\r\n"))[:-5]
            box.messages.append(message_from_bytes(body.replace(b"\r\n..", b"\r\n.")))
            writer.write(b"250 kept\r\n")
        elif word == b"QUIT":
            writer.write(b"221 bye\r\n")
            break
        else:
            if word == b"RCPT":
                box.recipients.append(line.decode().partition("<")[2].partition(">")[0])
            writer.write(b"250 well\r\n")
        await writer.drain()
    await writer.drain()
    writer.close()
