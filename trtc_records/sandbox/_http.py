"""HTTP over ASGI, as little of it as the sandbox needs, and the ways to break it."""

from __future__ import annotations

from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

__all__ = ["HTML", "JSON", "Line", "break_off", "read_body", "reply", "reset"]

Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")


class Line(Protocol):
    """What the application needs of the server below it, and ASGI does not offer."""

    async def pause(self, seconds: float) -> None:
        """Wait, or until the server stops."""

    def hang_up(self, scope: Scope, *, abruptly: bool) -> None:
        """Close the connection of a request: once what is written is sent, or abruptly, by a TCP reset."""


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body of a request, or ``None`` if the client has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body", False):
            return body


async def reply(send: Send, body: bytes, *headers: Header, status: int = 200) -> None:
    """Send a whole answer."""
    await _send_head(send, status, len(body), headers)
    await send({"type": "http.response.body", "body": body})


async def break_off(line: Line, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
    """Promise the whole of *body*, send its first half, and close the connection."""
    await _send_head(send, 200, len(body), (JSON,))
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    line.hang_up(scope, abruptly=False)
    await _wait_for_disconnect(receive)


async def reset(line: Line, scope: Scope, receive: Receive) -> None:
    """Reset the connection without an answer."""
    line.hang_up(scope, abruptly=True)
    await _wait_for_disconnect(receive)


async def _send_head(send: Send, status: int, length: int, headers: tuple[Header, ...]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % length)],
        }
    )


async def _wait_for_disconnect(receive: Receive) -> None:
    """Wait until the server knows that the connection is gone: it complains of an application that ends before."""
    while (await receive())["type"] != "http.disconnect":
        pass
