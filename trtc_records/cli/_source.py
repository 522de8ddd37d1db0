"""The source of a command's records: a client of the account or of a sandbox, and the selection to read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final, Literal

import attrs

from trtc_records import CallRecordPage, CallRecordsClient, CallResult, CallType, ResponseDecodeError
from trtc_records.cli._options import Window

__all__ = ["Selection", "choose_client"]

_SANDBOX_RECORDS: Final = 5_000


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
        """Yield the pages of a walk over the selected records.

        Args:
            client: The client to read with.
            on_invalid: Called with each record that cannot be read, and the error.
        """
        pages = client.iter_pages(
            start_time=self.window.since,
            end_time=None if self.window.ends_now else self.window.until,
            call_result=self.result,
            call_type=self.call_type,
            page_size=self.page_size,
            order=self.order,
            on_invalid=on_invalid,
        )
        async with aclosing(pages):
            async for page in pages:
                yield page


@contextmanager
def choose_client(*, sandbox: bool) -> Iterator[Callable[[], CallRecordsClient]]:
    """Yield a function that makes a client: for the environment's account, or for a sandbox that runs meanwhile."""
    if not sandbox:
        yield CallRecordsClient.from_env
        return
    from trtc_records.sandbox import Sandbox  # noqa: PLC0415  (few runs need it, and it takes time to import)

    with Sandbox(records=_SANDBOX_RECORDS) as service:
        yield lambda: CallRecordsClient(**service.credentials)
