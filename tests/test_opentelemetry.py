"""Spans of OpenTelemetry's instrumentation for httpx, and the ways to keep the credential out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from conftest import MakeClient
from http_server import Request, serve
from records import envelope, raw_record

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")
pytest.importorskip("opentelemetry.instrumentation.httpx", reason="needs opentelemetry-instrumentation-httpx")

from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

pytestmark = pytest.mark.anyio

USER_SIG = "eJwtjEELgjAYhv-KfOeQubm5BI9RUUJBoMcxJ18VyTaXEf33lnl7n"

Instrument = Callable[..., InMemorySpanExporter]


@pytest.fixture(params=["", "http"], ids=["old conventions", "new conventions"])
def instrument(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instrument]:
    """Instrument httpx, under the old and the new names of attributes."""
    from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability

    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", request.param)
    monkeypatch.setattr(Stability, "_initialized", False)
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def start(**options: Any) -> InMemorySpanExporter:
        HTTPXClientInstrumentor().instrument(tracer_provider=provider, **options)
        return exporter

    yield start
    HTTPXClientInstrumentor().uninstrument()
    provider.shutdown()


async def look_up(make_client: MakeClient, transport: httpx.AsyncBaseTransport | None) -> None:
    async def handle(request: Request) -> dict[str, Any]:
        return envelope({"CallRecord": raw_record(1)})

    async with (
        serve(handle) as server,
        make_client(base_url=server.base_url, user_sig=USER_SIG, transport=transport) as client,
    ):
        await client.get_record("call-000001")
        assert server.requests[0].parameters["usersig"] == [USER_SIG]


def url_of(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    return str(attributes.get("http.url") or attributes["url.full"])


async def test_lanes_are_not_recorded(instrument: Instrument, make_client: MakeClient) -> None:
    """By default the client uses no class that it patches, so it makes no span."""
    exporter = instrument()
    await look_up(make_client, None)
    assert exporter.get_finished_spans() == ()


async def test_httpx_is_recorded_with_the_credential(instrument: Instrument, make_client: MakeClient) -> None:
    """Over httpx's own transport a span has the whole URL: this is why the documentation says how to strip it."""
    exporter = instrument()
    await look_up(make_client, httpx.AsyncHTTPTransport())
    (span,) = exporter.get_finished_spans()
    assert USER_SIG in url_of(span)


async def test_a_request_hook_strips_it(instrument: Instrument, make_client: MakeClient) -> None:
    """The documentation's hook leaves the path and takes the query."""

    async def strip_query(span: Any, request: Any) -> None:
        for name in ("http.url", "url.full"):
            if name in span.attributes:
                span.set_attribute(name, str(span.attributes[name]).partition("?")[0])

    exporter = instrument(async_request_hook=strip_query)
    await look_up(make_client, httpx.AsyncHTTPTransport())
    (span,) = exporter.get_finished_spans()
    assert url_of(span).endswith("/get_record_by_callid")
    assert USER_SIG not in span.to_json()


async def test_its_urls_can_be_excluded(
    instrument: Instrument, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable that it documents, it makes no span of these requests."""
    monkeypatch.setenv("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "call_record_http_srv")
    exporter = instrument()
    await look_up(make_client, httpx.AsyncHTTPTransport())
    assert exporter.get_finished_spans() == ()
