"""Undo the compression of a body: never beyond a bound, and step by step, so that the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import httpx

from trtc_records._errors import TransportError

__all__ = ["MOST_BYTES", "decode", "too_long"]

MOST_BYTES: Final = 64 * 2**20
"""The default bound: the largest page that was seen has 10 MB, a usual one 40 kB."""

_GZIP_WINDOW: Final = 31  # zlib's number for gzip with the largest window
_STEP: Final = 2**20  # bytes decoded at once: some 3 ms
_SLICE: Final = 64  # bytes given at once to a decoder that takes no bound: zlib makes at most 66 kB of it
_MOST_CODINGS: Final = 5  # as curl


def too_long(most: int) -> TransportError:
    """Return the error for a body of more than *most* bytes."""
    return TransportError(
        f"the response has more than max_response_bytes={most:,}: lower page_size, or pass a greater bound",
        retryable=False,
    )


async def decode(codings: Sequence[str], body: bytes, most: int) -> bytes:
    """Return *body* with its *codings* undone, the last one first; one that httpx does not know is left alone.

    Raises:
        TransportError: It has more than *most* bytes.
        ValueError: It cannot be decoded.
    """
    if len(codings) > _MOST_CODINGS:
        raise ValueError(f"{len(codings)} codings")
    for coding in reversed(codings) if body else ():
        parts: list[bytes] = []
        left = most
        try:
            async for part in _gunzip(body) if coding in {"gzip", "x-gzip"} else _decode_by_httpx(coding, body):
                left -= len(part)
                if left < 0:
                    raise too_long(most)
                parts.append(part)
        except (zlib.error, httpx.DecodingError) as error:
            raise ValueError(str(error)) from None
        body = b"".join(parts)
    if len(body) > most:
        raise too_long(most)
    return body


async def _gunzip(body: bytes) -> AsyncIterator[bytes]:
    engine = zlib.decompressobj(_GZIP_WINDOW)
    while True:
        part = engine.decompress(body, _STEP)
        body = engine.unconsumed_tail
        if not part and not body and not engine.eof:
            raise zlib.error("the body is cut off")
        yield part
        if engine.eof:
            body = engine.unused_data.lstrip(b"\0")  # padding
            if not body:
                return
            engine = zlib.decompressobj(_GZIP_WINDOW)  # one more member: a gateway may join several
        await asyncio.sleep(0)


async def _decode_by_httpx(coding: str, body: bytes) -> AsyncIterator[bytes]:
    response = httpx.Response(200, headers={"Content-Encoding": coding}, stream=_Slices(body))
    async for part in response.aiter_bytes():
        yield part


class _Slices(httpx.AsyncByteStream):
    """A body in small parts."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), _SLICE):
            yield self._body[start : start + _SLICE]
            if start % (16 * _SLICE) == 0:
                await asyncio.sleep(0)
