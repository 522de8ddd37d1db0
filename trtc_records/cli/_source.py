"""The source of a command's records: a client of the account or of a sandbox, and the selection to read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

import attrs

from trtc_records import (
    CallRecord,
    CallRecordPage,
    CallRecordsClient,
    CallResult,
    CallType,
    ResponseDecodeError,
    Service,
)
from trtc_records._starts import widen
from trtc_records.cli._options import Window

__all__ = ["Selection", "choose_client", "make_client"]

_SANDBOX_RECORDS: Final = 5_000
_LONGEST_CALL: Final = timedelta(hours=24)
"""The time to read beyond a window, for a service that selects calls by their end."""


@attrs.frozen
class Selection:
    """The records that a command reads."""

    window: Window
    result: CallResult | None
    call_type: CallType | None
    page_size: int
    order: Literal["service", "time"] = "service"

    async def read(
        self, client: CallRecordsClient, on_invalid: Callable[[Any, ResponseDecodeError], None]
    ) -> AsyncGenerator[CallRecordPage, None]:
        """Yield the pages of a walk over the selected records, and some more: :meth:`keep` drops those.

        Args:
            client: The client to read with.
            on_invalid: Called with each record that cannot be read, and the error.
        """
        start, end = widen(self.window.since, self.window.until, margin=_LONGEST_CALL, now=datetime.now(UTC))
        pages = client.iter_pages(
            start_time=start,
            end_time=end,
            call_result=self.result,
            call_type=self.call_type,
            page_size=self.page_size,
            order=self.order,
            on_invalid=on_invalid,
        )
        async with aclosing(pages):
            async for page in pages:
                yield page

    def keep(self, record: CallRecord) -> bool:
        """Return whether a call of the service started in the window, and no filter excludes it.

        The service applies the filters, which Tencent documents by a sample only, so they are applied here again. A
        value that this version does not know, such as a number, is left to the service.
        """
        return (
            self._holds(record.start_time)
            and (self.result in {None, record.call_result} or not isinstance(record.call_result, CallResult))
            and (self.call_type in {None, record.call_type} or not isinstance(record.call_type, CallType))
        )

    def matches(self, record: CallRecord) -> bool:
        """Return whether a call of a file started in the window and meets the filters."""
        return (
            self._holds(record.start_time)
            and self.result in {None, record.call_result}
            and self.call_type in {None, record.call_type}
        )

    def _holds(self, start: datetime) -> bool:
        """Return whether *start* lies in the window; one that ends now has no end here."""
        since, until = self.window.since, self.window.until
        return (since is None or start >= since) and (self.window.ends_now or start <= until)


def make_client(service: Service | None, **arguments: Any) -> CallRecordsClient:
    """Return a client for the environment's account.

    Args:
        service: The service to read; ``None`` for the environment's.
        **arguments: Further arguments of the client.
    """
    if service is not None:
        arguments["service"] = service
    return CallRecordsClient.from_env(**arguments)


@contextmanager
def choose_client(
    service: Service | None, *, sandbox: bool, live: bool = False
) -> Iterator[Callable[[], CallRecordsClient]]:
    """Yield a function that makes a client: for the environment's account, or for a sandbox that runs meanwhile.

    Args:
        service: The service to read; ``None`` for the environment's, or the sandbox's current one.
        sandbox: Whether to run a sandbox.
        live: Whether calls start and end in it all the time.
    """
    if not sandbox:
        yield partial(make_client, service)
        return
    from trtc_records.sandbox import Sandbox  # noqa: PLC0415  (few runs need it, and it takes time to import)

    calls: dict[str, Any] = {"live": "1/s", "call_seconds": (1, 12)} if live else {}
    with Sandbox(records=_SANDBOX_RECORDS, **calls) as server:
        yield lambda: CallRecordsClient(**server.credentials, service=service or Service.CURRENT)
