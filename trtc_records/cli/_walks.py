"""What the commands that walk over records have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final

import attrs

from trtc_records import CallRecordPage, CallRecordsClient, CallResult, CallType, ResponseDecodeError
from trtc_records.cli._options import Window

__all__ = ["Selection", "choose_client"]

_SANDBOX_RECORDS: Final = 5_000


@attrs.frozen
class Selection:
    """Say which records to read."""

    window: Window
    result: CallResult | None
    call_type: CallType | None
    page_size: int

    async def read(
        self, client: CallRecordsClient, on_invalid: Callable[[Any, ResponseDecodeError], None]
    ) -> AsyncGenerator[CallRecordPage, None]:
        """Yield page by page what is selected.

        Args:
            client: Whom to ask.
            on_invalid: Called with each record that cannot be read, and the error.
        """
        pages = client.iter_pages(
            start_time=self.window.since,
            end_time=self.window.until,
            call_result=self.result,
            call_type=self.call_type,
            page_size=self.page_size,
            on_invalid=on_invalid,
        )
        async with aclosing(pages):
            async for page in pages:
                yield page


@contextmanager
def choose_client(*, sandbox: bool) -> Iterator[Callable[[], CallRecordsClient]]:
    """Yield what makes the client: of the environment's account, or of a sandbox that runs inside the block."""
    if not sandbox:
        yield CallRecordsClient.from_env
        return
    from trtc_records.sandbox import Sandbox  # noqa: PLC0415  (few runs need it, and it takes time to import)

    with Sandbox(records=_SANDBOX_RECORDS) as service:
        yield lambda: CallRecordsClient(**service.credentials)
