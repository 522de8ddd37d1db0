"""``trtc-records get``: one record."""

from __future__ import annotations

import asyncio
import json

from trtc_records import CallRecord, CallRecordsClient
from trtc_records.cli._errors import ExitCode
from trtc_records.cli._options import CallIdArgument
from trtc_records.export import make_row

__all__ = ["get"]


def get(call_id: CallIdArgument) -> ExitCode:
    """Print one call record as JSON."""
    print(json.dumps(make_row(asyncio.run(_get(call_id))), indent=2))
    return ExitCode.DONE


async def _get(call_id: str) -> CallRecord:
    async with CallRecordsClient.from_env() as client:
        return await client.get_record(call_id)
