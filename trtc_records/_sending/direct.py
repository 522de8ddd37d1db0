"""A connection without a proxy: an asyncio protocol that speaks HTTP/1.1 by h11.

httpcore's connection passes each event of a request through streams, traces and locks of its own, which costs more
than the work itself. Here a request is one write, and a response is read in the loop's callbacks; the task that waits
for it wakes up once.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Final, cast

import h11
import httpcore
import httpx

from trtc_records._sending.addresses import connect
from trtc_records._sending.decoding import too_long
from trtc_records._sending.lane import ERROR_BODY_WAIT, MOST_HEAD_BYTES, OK, Exchange, Headers, TakePermit

__all__ = ["DirectLane"]

_PORTS: Final = {"https": 443, "http": 80}
_MOST_UNREAD: Final = 100 * 1024  # bytes of a head, as httpcore has it


class DirectLane(asyncio.Protocol):
    """A lane to the host of a URL.

    Args:
        url: The URL.
        context: The TLS context for https; ``None`` for http.
        most_bytes: The most bytes of a response's body.
    """

    def __init__(self, url: httpx.URL, context: ssl.SSLContext | None, most_bytes: int) -> None:
        self.is_closed = False
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or _PORTS[url.scheme]
        self._context = context
        self._most_bytes = most_bytes
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_UNREAD)
        self._connecting: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self._was_read = False
        self._answer: asyncio.Future[Exchange] | None = None  # of the request under way
        self._bytes_left = 0
        self._head: h11.Response | None = None
        self._body: list[bytes] = []
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_stale(self) -> bool:
        """Return whether it is closed, or the server has closed it or sent something that no request asked for."""
        # What arrived while the loop was busy has not been read yet. Before its first answer, a server may have sent
        # TLS session tickets.
        return self.is_closed or ((self._was_read or self._context is None) and self._is_readable())

    async def exchange(
        self, target: bytes, headers: Headers, content: bytes, take_permit: TakePermit
    ) -> Exchange | None:
        """Post *content* to *target*, and return the response; ``None`` if it is stale and nothing was sent."""
        is_new = self._transport is None
        if is_new:
            await self._connect()
        await take_permit()
        if self.is_stale:
            self._close()
            if is_new:  # another one would fare no better
                raise httpcore.ReadError
            return None
        answer: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self._answer = answer
        try:
            self._send(target, headers, content)
            return await answer
        except BaseException:
            self._close()
            raise
        finally:
            # Nothing of the response stays: it may repeat the UserSig, and the response that was read names the lane.
            self._answer = self._head = None
            self._body.clear()
            if self._deadline is not None:
                self._deadline.cancel()

    async def aclose(self) -> None:
        """Close it; a request under way fails."""
        self._close()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._transport is not None:
            await self._lost.wait()

    async def _connect(self) -> None:
        connecting = self._connecting = asyncio.create_task(self._open())
        try:
            await connecting
        except OSError as error:
            self.is_closed = True
            raise httpcore.ConnectError(str(error)) from error
        except asyncio.CancelledError:
            self.is_closed = True
            consumer = asyncio.current_task()
            if consumer is not None and consumer.cancelling():
                raise
        finally:
            self._connecting = None
        if self.is_closed:
            raise httpcore.ConnectError

    async def _open(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self,
                sock=await connect(self._host, self._port),
                ssl=self._context,
                server_hostname=None if self._context is None else self._host,
            )
        except BaseException:
            self._transport = None  # it is closed, and uvloop never reports that
            raise

    def _is_readable(self) -> bool:
        assert self._transport is not None
        descriptor = self._transport.get_extra_info("socket").fileno()
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([descriptor], [], [], 0)[0])
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def _send(self, target: bytes, headers: Headers, content: bytes) -> None:
        """Write a request at once: one system call, TLS record and packet."""
        assert self._transport is not None
        self._bytes_left = self._most_bytes + MOST_HEAD_BYTES
        events = (h11.Request(method=b"POST", target=target, headers=headers), h11.Data(content), h11.EndOfMessage())
        self._transport.write(b"".join([self._http.send(event) or b"" for event in events]))

    # -- What asyncio calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no base class

    def data_received(self, data: bytes) -> None:
        """Read a part of the response."""
        if self._answer is None or self._answer.done():  # no request asked for it
            self._close()
            return
        self._was_read = True
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self._fail(too_long(self._most_bytes))
            return
        self._read(data)

    def eof_received(self) -> None:
        """Take the end of the connection for that of a response that has no other."""
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            if self._http.their_state is h11.SEND_RESPONSE and self._http.trailing_data[0] == b"":
                self._fail(httpcore.RemoteProtocolError("Server disconnected without sending a response."))
            else:
                self._read(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """Give up the request under way."""
        self.is_closed = True
        self._lost.set()
        self._fail(httpcore.ReadError("" if error is None else str(error)))

    # -- The response --------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """Read *data*, empty at the end of the connection, and end the request if the response is whole."""
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Data):
                    self._body.append(event.data)
                elif isinstance(event, h11.Response):
                    self._begin(event)
                elif isinstance(event, h11.EndOfMessage):
                    self._end()
                    return
        except h11.RemoteProtocolError as error:
            self._fail(httpcore.RemoteProtocolError(str(error)))

    def _begin(self, head: h11.Response) -> None:
        self._head = head
        if head.status_code != OK:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(ERROR_BODY_WAIT, self._fail, httpcore.ReadTimeout())

    def _end(self) -> None:
        """Hand over the response, and make ready for the next request."""
        http = self._http
        can_go_on = http.our_state is h11.DONE and http.their_state is h11.DONE and not http.trailing_data[0]
        if can_go_on and not self.is_closed:
            http.start_next_cycle()
        else:
            self._close()
        self._hand_over(b"".join(self._body))

    def _fail(self, error: Exception) -> None:
        """Close the connection. An error status needs no body, so it survives one that breaks off or does not end."""
        self._close()
        if self._answer is None or self._answer.done():
            return
        if self._head is not None and self._head.status_code != OK:
            self._hand_over(b"")
        else:
            self._answer.set_exception(error)

    def _hand_over(self, body: bytes) -> None:
        assert self._answer is not None
        assert self._head is not None
        self._answer.set_result((self._head.status_code, self._head.headers.raw_items(), body, self))

    def _close(self) -> None:
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()
