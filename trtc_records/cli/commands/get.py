"""``trtc-records get``: one record."""

from __future__ import annotations

import asyncio
from typing import Final

from trtc_records import CallRecord, Service
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import CallIdArgument, Log, Quiet, ServiceOption
from trtc_records.cli._output import configure_output
from trtc_records.cli._source import make_client
from trtc_records.export import make_row
from trtc_records.export._json import dump_json

__all__ = ["EXAMPLES", "get"]

EXAMPLES: Final = (
    ("trtc-records get 04c9a0ac-4d51-4b9c-9d0f-2f6c8a0d1e57", "one call by its id"),
    ('trtc-records get "$CALL_ID" | jq .talk_seconds', "one value of it"),
)


def get(
    call_id: CallIdArgument, *, service: ServiceOption = None, quiet: Quiet = False, log_level: Log = None
) -> ExitCode:
    """Print one call record as JSON."""
    configure_output(quiet=quiet, log_level=log_level)
    print(dump_json(make_row(asyncio.run(_get(call_id, service))), indent=2))
    return ExitCode.DONE


async def _get(call_id: str, service: Service | None) -> CallRecord:
    async with make_client(service) as client:
        return await client.get_record(call_id)
