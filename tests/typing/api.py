"""Typed uses of the public names, which type checkers read and nothing runs."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, assert_type
from zoneinfo import ZoneInfo

import httpx

import trtc_records
from trtc_records import (
    APIError,
    CallRecord,
    CallRecordPage,
    CallRecordsClient,
    CallRecordsError,
    CallResult,
    CallType,
    ConfigurationError,
    IncompleteWalk,
    LocalRateLimiter,
    MediaType,
    RateLimiter,
    Region,
    ResponseDecodeError,
    RoomIdType,
    Service,
    TransportError,
    Webhook,
    WebhookEvent,
    generate_user_sig,
    record_from_json,
    record_to_json,
)
from trtc_records.archive import ArchiveCheck, ArchivedPartition, ArchiveReport, archive_call_records, verify_archive
from trtc_records.export import FileFormat, JsonLinesWriter, Pseudonyms, read_records, record_from_row, record_to_row
from trtc_records.sandbox import Behaviour, Drift, Faults, Sandbox, Webhooks
from trtc_records.summary import (
    NO_CALLS,
    Caller,
    Durations,
    HourTraffic,
    Peak,
    ReportScope,
    Summary,
    SummaryResult,
    show_length,
)


class SharedLimiter:
    """Fit the protocol without inheriting from it."""

    async def acquire(self) -> str:
        """Take a permit."""
        return "permit"


async def fetch_user_sig() -> str:
    """Stand for a vault."""
    return generate_user_sig(1_400_000_000, "administrator", "key", lifetime=86_400)


def read_user_sig() -> str:
    """Stand for a file."""
    return ""


def make_clients(limiter: RateLimiter, transport: httpx.AsyncBaseTransport) -> list[CallRecordsClient]:
    """Make clients in every supported way."""
    return [
        CallRecordsClient(
            sdk_app_id=1_400_000_000, identifier="administrator", secret_key="key", region=Region.SINGAPORE
        ),
        CallRecordsClient(
            sdk_app_id=1_400_000_000,
            identifier="administrator",
            user_sig="signature",
            base_url="http://127.0.0.1:8080",
            limiter=SharedLimiter(),
            timeout=5,
            attempts=3,
            total_timeout=None,
            max_in_flight=8,
            proxy="http://127.0.0.1:3128",
            verify=True,
        ),
        CallRecordsClient(
            sdk_app_id=1_400_000_000,
            identifier="administrator",
            user_sig=fetch_user_sig,
            region="seoul",
            service="legacy",
        ),
        CallRecordsClient(
            sdk_app_id=1_400_000_000,
            identifier="administrator",
            user_sig=read_user_sig,
            region="seoul",
            limiter=limiter,
            transport=transport,
        ),
        CallRecordsClient(
            sdk_app_id=1_400_000_000,
            identifier="administrator",
            user_sig="signature",
            region=Region.SEOUL,
            service=Service.LEGACY,
            proxy=httpx.Proxy("http://127.0.0.1:3128"),
            verify=ssl.create_default_context(),
        ),
        CallRecordsClient.from_env(),
        CallRecordsClient.from_env(timout=3),  # type: ignore[call-arg]  # a misspelled name is found
        CallRecordsClient.from_env({"TRTC_IDENTIFIER": "administrator"}, limiter=LocalRateLimiter(rate=100)),
    ]


def take_report(walk: IncompleteWalk) -> None:
    """Read every attribute of a report."""
    assert_type(walk.reason, str)
    assert_type(walk.yielded, int)
    assert_type(walk.expected, int | None)
    assert_type(walk.start_time, datetime)
    assert_type(walk.end_time, datetime)


async def read(client: CallRecordsClient) -> None:
    """Call every method."""
    async with client as entered:
        assert_type(entered, CallRecordsClient)
    now = datetime.now(UTC)
    records = client.iter_records(start_time=now - timedelta(days=1), end_time=now, call_result=CallResult.NORMAL_END)
    assert_type(records, AsyncGenerator[CallRecord, None])
    async for record in records:
        assert_type(record, CallRecord)
    await records.aclose()
    pages = client.iter_pages(start_time=0, call_result="AddedLater", call_type=CallType.MULTI_CALL, page_size=50)
    assert_type(pages, AsyncGenerator[CallRecordPage, None])
    assert_type(client.iter_records(order="time", on_incomplete=take_report), AsyncGenerator[CallRecord, None])
    assert_type(client.iter_pages(order="service", on_incomplete=take_report), AsyncGenerator[CallRecordPage, None])
    assert_type(await client.count(start_time=now, call_type=CallType.SINGLE_CALL), int)
    page = await client.get_page(2, page_size=50)
    assert_type(page.records, tuple[CallRecord, ...])
    assert_type(page.total_num, int | None)
    assert_type(await client.get_record("04c9a0ac-8e38-4a19-be45-349c5ce7911b"), CallRecord)
    assert_type(await client.get_record("04c9a0ac", pace=LocalRateLimiter(20)), CallRecord)
    await client.set_webhook("https://example.com/", [WebhookEvent.CALL_ENDED, "Call.AddedLater"], replace=True)
    webhook = await client.get_webhook()
    assert_type(webhook, Webhook | None)
    if webhook is not None:
        assert_type(webhook.url, str)
        assert_type(webhook.events, tuple[WebhookEvent | str, ...])
    await client.delete_webhook()
    assert_type(await JsonLinesWriter(Path("calls.jsonl")).write(client.iter_records()), int)
    pseudonyms = Pseudonyms.from_env()
    await JsonLinesWriter("calls.jsonl").write(pseudonyms(record) async for record in client.iter_records())
    assert_type(pseudonyms.of("alice"), str)
    assert_type(pseudonyms.left_out, int)
    await client.aclose()


def read_record(record: CallRecord) -> None:
    """Read every attribute."""
    assert_type(record.callees, tuple[str, ...])
    assert_type(record.media_type, MediaType | str)
    assert_type(record.call_type, CallType | str)
    assert_type(record.call_result, CallResult | str | int)
    assert_type(record.room_id_type, RoomIdType | int | str)
    assert_type(record.start_time, datetime)
    assert_type(record.accept_time, datetime | None)
    assert_type(record.end_time, datetime | None)
    assert_type(record.answered, bool)
    assert_type(record.ring_time, timedelta | None)
    assert_type(record.talk_time, timedelta | None)
    assert_type(record.extra, dict[str, Any])
    assert_type(record_from_json(record_to_json(record)), CallRecord)


async def keep_archive(client: CallRecordsClient) -> None:
    """Bring an archive up to date, in a directory and at a URL."""

    def show(partition: ArchivedPartition) -> None:
        assert_type(partition.path, Path | str)
        assert_type(partition.action, Literal["written", "merged", "skipped", "expired"])

    report = await archive_call_records(client, Path("calls"))
    assert_type(report, ArchiveReport)
    assert_type(report.directory, Path | str)
    assert_type(report.partitions, tuple[ArchivedPartition, ...])
    assert_type(report.records, int)
    assert_type(report.complete, bool)
    await archive_call_records(
        client,
        "s3://bucket/calls",
        since=datetime(2026, 1, 31, tzinfo=UTC),
        until=datetime(2026, 2, 1, tzinfo=UTC),
        partition="hour",
        zone=ZoneInfo("Asia/Singapore"),
        file_format=FileFormat.JSON_LINES,
        settle=timedelta(hours=24),
        page_size=500,
        on_partition=show,
    )
    check = verify_archive("s3://bucket/calls")
    assert_type(check, ArchiveCheck)
    assert_type(check.problems, tuple[str, ...])


def read_files() -> None:
    """Read records back from files and rows."""
    assert_type(read_records("s3://bucket/calls"), Iterator[CallRecord])
    for record in read_records(Path("calls.txt"), FileFormat.JSON_LINES):
        row = record_to_row(record)
        assert_type(row, dict[str, Any])
        assert_type(record_from_row(row), CallRecord)


async def sum_up(client: CallRecordsClient, earlier: Summary) -> None:
    """Sum up the records of a walk, and read every figure."""
    scope = ReportScope(
        source="the service",
        sdk_app_id=client.sdk_app_id,
        region=Region.SINGAPORE,
        since=datetime.now(UTC),
        filters={"result": CallResult.NOT_ANSWER},
    )
    summary = Summary(zone=ZoneInfo("Asia/Singapore"), top=5, traffic=True, scope=scope)
    async for record in client.iter_records(on_incomplete=lambda walk: summary.add_missing(walk.reason)):
        summary.add(record)
    assert_type(summary.scope, ReportScope | None)
    assert_type(summary.to_text(width=60, before=earlier), str)
    assert_type(summary.to_html(title=NO_CALLS, before=None), str)
    assert_type(summary.to_dict(), dict[str, Any])
    read_figures(summary.result)


def read_figures(result: SummaryResult) -> None:
    """Read figures, each of its type."""
    assert_type(result.complete, bool)
    assert_type(result.missing, tuple[str, ...])
    assert_type((result.asr, result.ner), tuple[float | None, float | None])
    assert_type(show_length(result.acd), str)
    assert_type(result.answer_time, Durations)
    assert_type(result.answer_time.median, timedelta | None)
    assert_type(result.busy_hour, HourTraffic | None)
    assert_type(result.peak, Peak | None)
    assert_type(result.redials, int | None)
    assert_type(result.days, tuple[tuple[date, int], ...])
    assert_type(result.top_callers, tuple[Caller, ...])


def read_error(error: CallRecordsError) -> object:
    """Distinguish errors by type."""
    match error:
        case APIError():
            assert_type(error.code, int)
            assert_type(error.request_id, str)
            return error.hint
        case TransportError():
            return assert_type(error.status_code, int | None)
        case ResponseDecodeError():
            return assert_type(error.path, str)
        case ConfigurationError():
            return assert_type(error.args, tuple[Any, ...])
        case _:
            return assert_type(error.retryable, bool)


def run_sandbox() -> CallRecordsClient:
    """Use the sandbox."""
    live = Sandbox(live="30/min", call_seconds=(1, 12), webhook_url="http://localhost/", webhooks=Webhooks(loss=0.1))
    assert_type(live.ended_records, list[CallRecord])
    with Sandbox(records=100, behaviour=Behaviour(), faults=Faults(), drift=Drift()) as sandbox:
        assert_type(sandbox.records, list[CallRecord])
        assert_type(sandbox.stats.webhooks, dict[str, int])
        return CallRecordsClient(**sandbox.credentials)


assert_type(trtc_records.__version__, str)
trtc_records.CallRecordClient  # type: ignore[attr-defined]  # so is a name that is none of the package's  # noqa: B018
