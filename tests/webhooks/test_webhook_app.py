"""The receiver of callbacks, on virtual time, with a client whose service the test writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import attrs
import httpx
import pytest
from callbacks import CHANGE, OK, START, Answer, call, change_body, end_body, query_of, start_body
from records import call_id, envelope, raw_record
from virtual_time import run

from trtc_records import CallRecordsClient, ConfigurationError, LimiterUnavailableError, RateLimiter, record_from_json
from trtc_records.webhooks import CallEnded, CallStarted, MembersChanged, UnknownWebhook, WebhookApp


@attrs.define
class Service:
    """A service that knows some calls, and the times at which it was asked for each."""

    records: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    asked: list[tuple[float, str]] = attrs.field(factory=list)
    failure: dict[str, Any] | None = None
    latency: float = 0.05

    async def answer(self, request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)["CallId"]
        self.asked.append((asyncio.get_running_loop().time(), wanted))
        await asyncio.sleep(self.latency)
        if self.failure is not None:
            return httpx.Response(200, json=self.failure)
        if wanted not in self.records:
            return httpx.Response(200, json=envelope(code=101050, info="no such call"))
        return httpx.Response(200, json=envelope({"CallRecord": self.records[wanted]}))

    def add(self, *numbers: int) -> None:
        """Know calls from now on."""
        self.records |= {call_id(number): raw_record(number) for number in numbers}

    def busiest(self) -> int:
        """Return the most requests within a second."""
        times = [time for time, _ in self.asked]
        return max(bisect_left(times, start + 1.0) - first for first, start in enumerate(times))


@attrs.define
class Receiver:
    """A receiver under test, and the events that it handed over, with their times."""

    app: WebhookApp
    service: Service
    events: list[tuple[float, Any]] = attrs.field(factory=list)

    async def post(self, body: bytes, query: str | None = None) -> Answer:
        return await call(self.app, body, query=query)

    @property
    def ended(self) -> list[str]:
        return [event.record.call_id for _, event in self.events]


class Unlimited:
    """A limiter of no effect: the client's own, shared by all tests, would remember times of another clock."""

    async def acquire(self) -> None:
        """Give a permit at once."""


Handle = Callable[[Any], Awaitable[object]]


@asynccontextmanager
async def receiving(
    handle: Handle | None = None, attempts: int = 1, limiter: RateLimiter | None = None, **arguments: Any
) -> AsyncIterator[Receiver]:
    """Open a receiver with a client for a service of its own."""
    service = Service()
    client = CallRecordsClient(
        sdk_app_id=1400000000,
        identifier="administrator",
        secret_key="0123456789abcdef" * 4,
        base_url="http://127.0.0.1:9",
        transport=httpx.MockTransport(service.answer),
        limiter=limiter or Unlimited(),
        attempts=attempts,
    )

    async def note(event: Any) -> None:
        receiver.events.append((asyncio.get_running_loop().time(), event))
        if handle is not None:
            await handle(event)

    async with client, WebhookApp(note, client=client, **arguments) as app:
        receiver = Receiver(app, service)
        yield receiver


# -- Answers ----------------------------------------------------------------------------------------


def test_a_callback_is_answered_at_once_as_tencent_expects() -> None:
    """The answer does not wait for the look-up, nor for the caller's function."""

    async def main() -> None:
        async with receiving() as receiver:
            begun_at = asyncio.get_running_loop().time()
            answer = await receiver.post(end_body())
            assert (answer.status, answer.body) == (200, OK)
            assert answer.headers["content-type"] == "application/json"
            assert int(answer.headers["content-length"]) == len(answer.content)
            assert asyncio.get_running_loop().time() - begun_at < 0.1

    run(main())


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_served(method: str) -> None:
    """Another method is refused with 405."""

    async def main() -> None:
        async with receiving() as receiver:
            answer = await call(receiver.app, end_body(), method=method)
            assert (answer.status, answer.headers["allow"]) == (405, "POST")

    run(main())


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        (b"<p>", None, 400),
        (end_body(StartTime="noon"), None, 400),
        (end_body(), "SdkAppid=1", 403),
        (end_body(), "", 400),
    ],
)
def test_a_bad_callback_gets_the_status_of_its_error(
    body: bytes, query: str | None, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer says what is wrong, the log too, and nothing is looked up."""

    async def main() -> None:
        async with receiving() as receiver:
            answer = await receiver.post(body, query)
            assert (answer.status, answer.body["ActionStatus"], answer.body["ErrorCode"]) == (status, "FAIL", status)
            await asyncio.sleep(100)
            assert (receiver.service.asked, receiver.events) == ([], [])
            assert answer.body["ErrorInfo"] in caplog.text

    run(main())


def test_a_body_in_chunks_is_read_up_to_the_limit() -> None:
    """A body may come in any chunks; one byte more than the limit is refused with 413, before the rest is read."""

    async def main() -> None:
        body = end_body()
        async with receiving(max_body=len(body)) as receiver:
            assert (await call(receiver.app, body[:7], b"", body[7:])).status == 200
            assert (await call(receiver.app, body, b" ", b"never read" * 1000)).status == 413

    run(main())


def test_a_caller_that_hangs_up_gets_nothing() -> None:
    """A request that breaks off in its body is dropped."""

    async def main() -> None:
        async with receiving() as receiver:
            messages: list[dict[str, Any]] = [
                {"type": "http.request", "body": b"{", "more_body": True},
                {"type": "http.disconnect"},
            ]

            async def receive() -> dict[str, Any]:
                return messages.pop(0)

            async def send(message: Any) -> None:
                raise AssertionError(message)

            await receiver.app({"type": "http", "method": "POST", "query_string": b""}, receive, send)

    run(main())


def test_a_websocket_is_closed() -> None:
    """A WebSocket is refused, as ASGI has it."""

    async def main() -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async with receiving() as receiver:
            await receiver.app({"type": "websocket"}, receive, send)
        assert sent == [{"type": "websocket.close"}]

    run(main())


# -- Verified calls ---------------------------------------------------------------------------------


def test_the_services_record_is_handed_over() -> None:
    """After 5 seconds the record is looked up, and nothing of the callback itself is handed over."""

    async def main() -> None:
        async with receiving() as receiver:
            receiver.service.add(1)
            posted_at = asyncio.get_running_loop().time()
            await receiver.post(end_body(1, Caller_Account="forged", Smuggled=1))
            await asyncio.sleep(20)
            ((time, event),) = receiver.events
            assert event == CallEnded(record=record_from_json(raw_record(1)), verified=True)
            assert 5.0 <= time - posted_at <= 5.2
            assert len(receiver.service.asked) == 1

    run(main())


def test_a_late_record_is_waited_for() -> None:
    """A call that the service does not know yet is looked up with growing pauses, for a minute."""

    async def main() -> None:
        async with receiving() as receiver:
            await receiver.post(end_body(1))
            await asyncio.sleep(30)
            assert len(receiver.service.asked) == 4
            receiver.service.add(1)
            await asyncio.sleep(10)
            assert receiver.ended == [call_id(1)]

    run(main())


def test_a_forged_callback_costs_one_series_of_look_ups(caplog: pytest.LogCaptureFixture) -> None:
    """A call that does not exist is looked up six times, and handed over never."""
    caplog.set_level(logging.INFO, logger="trtc_records")

    async def main() -> None:
        async with receiving() as receiver:
            await receiver.post(end_body(1))
            await asyncio.sleep(10_000)
            assert (len(receiver.service.asked), receiver.events) == (6, [])

    run(main())
    assert "'call-000001' cannot be verified" in caplog.text


def test_repeats_of_a_verified_call_are_dropped_for_ten_minutes() -> None:
    """Repeats before and after the look-up bring no second event and no second look-up for 10 minutes."""

    async def main() -> None:
        async with receiving() as receiver:
            receiver.service.add(1)
            for pause in (0, 1, 6, 590):
                await asyncio.sleep(pause)
                assert (await receiver.post(end_body(1))).body == OK
            await asyncio.sleep(10)
            assert (receiver.ended, len(receiver.service.asked)) == ([call_id(1)], 1)
            await asyncio.sleep(30)
            await receiver.post(end_body(1))
            await asyncio.sleep(10)
            assert receiver.ended == [call_id(1)] * 2

    run(main())


@pytest.mark.parametrize("pause", [3.0, 20.0, 64.0, 100.0])
def test_a_forged_callback_does_not_suppress_the_true_one(pause: float) -> None:
    """A callback that comes after a forged one for its call is verified as if it were the first."""

    async def main() -> None:
        async with receiving() as receiver:
            await receiver.post(end_body(1))
            await asyncio.sleep(pause)
            receiver.service.add(1)
            del receiver.service.asked[:]
            await receiver.post(end_body(1))
            await asyncio.sleep(5.3)
            assert receiver.ended == [call_id(1)]

    run(main())


@pytest.mark.parametrize("attempts", [1, 5])
def test_a_passing_error_is_waited_out(attempts: int) -> None:
    """While the service fails, a call stays in the schedule."""

    async def main() -> None:
        async with receiving(attempts=attempts) as receiver:
            receiver.service.add(1)
            receiver.service.failure = envelope(code=101001, info="internal error")
            await receiver.post(end_body(1))
            await asyncio.sleep(20)
            receiver.service.failure = None
            await asyncio.sleep(40)
            assert receiver.ended == [call_id(1)]

    run(main())


@pytest.mark.parametrize("failure", [envelope(code=70009, info="wrong key"), envelope({"CallRecord": [1]})])
def test_an_error_that_stays_ends_the_look_ups(failure: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Wrong credentials, or a record that cannot be read, are logged, and other calls go on."""

    async def main() -> None:
        async with receiving() as receiver:
            receiver.service.add(1, 2)
            receiver.service.failure = failure
            await receiver.post(end_body(1))
            await asyncio.sleep(100)
            assert len(receiver.service.asked) == 1
            receiver.service.failure = None
            await receiver.post(end_body(2))
            await asyncio.sleep(10)
            assert receiver.ended == [call_id(2)]

    run(main())
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@attrs.define
class BrokenLimiter:
    """A limiter that fails until it is mended."""

    error: Exception | None

    async def acquire(self) -> None:
        if self.error is not None:
            raise self.error


def test_a_limiter_that_cannot_be_reached_is_waited_for() -> None:
    """A shared limiter that is away for a while costs no call."""
    limiter = BrokenLimiter(LimiterUnavailableError("no Redis"))

    async def main() -> None:
        async with receiving(limiter=limiter) as receiver:
            receiver.service.add(1)
            await receiver.post(end_body(1))
            await asyncio.sleep(20)
            limiter.error = None
            await asyncio.sleep(20)
            assert receiver.ended == [call_id(1)]

    run(main())


def test_an_error_in_the_callers_limiter_ends_one_look_up(caplog: pytest.LogCaptureFixture) -> None:
    """An error that is none of the library's is logged, and the tasks go on."""
    limiter = BrokenLimiter(ZeroDivisionError())

    async def main() -> None:
        async with receiving(limiter=limiter) as receiver:
            receiver.service.add(1, 2)
            await receiver.post(end_body(1))
            await asyncio.sleep(10)
            limiter.error = None
            await receiver.post(end_body(2))
            await asyncio.sleep(10)
            assert receiver.ended == [call_id(2)]

    run(main())
    assert "ZeroDivisionError" in caplog.text


def test_a_function_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in the caller's function, or a cancellation inside it, is logged, and the next event follows."""
    errors: list[BaseException] = [ValueError("broken"), asyncio.CancelledError()]

    async def fail(_: Any) -> None:
        if errors:
            raise errors.pop(0)

    async def main() -> None:
        async with receiving(fail) as receiver:
            receiver.service.add(1, 2, 3)
            for number in (1, 2, 3):
                await receiver.post(end_body(number))
                await asyncio.sleep(10)
            assert receiver.ended == [call_id(1), call_id(2), call_id(3)]

    run(main())
    assert caplog.text.count("Traceback") == 2


def test_events_that_cannot_be_verified_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A start, a change or an unknown command is answered, named once in the log, and goes no further."""

    async def main() -> None:
        async with receiving() as receiver:
            for _ in range(3):
                assert (await receiver.post(start_body(), query_of(START))).body == OK
                assert (await receiver.post(change_body(), query_of(CHANGE))).body == OK
                assert (await receiver.post(b'{"CallbackCommand": "Call.New"}')).body == OK
            await asyncio.sleep(100)
            assert (receiver.events, receiver.service.asked) == ([], [])

    run(main())
    assert sorted(record.getMessage().split()[0] for record in caplog.records) == [
        "CallStarted",
        "MembersChanged",
        "UnknownWebhook",
    ]


# -- Floods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("attempts", [1, 5])
def test_look_ups_take_a_tenth_of_the_quota(attempts: int) -> None:
    """A flood of forgeries brings at most 20 requests in any second, the client's own attempts included."""

    async def main() -> None:
        async with receiving(attempts=attempts) as receiver:
            receiver.service.failure = envelope(code=101001, info="internal error") if attempts > 1 else None
            for number in range(500):
                await receiver.post(end_body(number))
            await asyncio.sleep(30)
            assert receiver.service.busiest() <= 20
            assert len(receiver.service.asked) > 400

    run(main())


def test_a_flood_does_not_push_a_true_callback_out() -> None:
    """Within a flood a true callback finds a place and is verified, and after it the next ones take 5 seconds again."""

    async def main() -> None:
        async with receiving(queue_size=100) as receiver:
            receiver.service.add(1)
            is_accepted = False
            for number in range(1000, 2000):
                await receiver.post(end_body(number))
                if number % 20 == 0 and not is_accepted:
                    is_accepted = (await receiver.post(end_body(1))).status == 200
                await asyncio.sleep(0.03)
            assert is_accepted
            assert receiver.ended == [call_id(1)]
            assert len(receiver.app._inbox._schedule) <= 100  # type: ignore[union-attr]
            await asyncio.sleep(70)
            receiver.service.add(2)
            begun_at = asyncio.get_running_loop().time()
            await receiver.post(end_body(2))
            await asyncio.sleep(10)
            assert receiver.ended == [call_id(1), call_id(2)]
            assert receiver.events[-1][0] - begun_at < 6

    run(main())


def test_a_full_receiver_asks_to_come_back(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond its size it answers 503, and logs that once, not for each callback."""

    async def main() -> None:
        async with receiving(queue_size=3) as receiver:
            statuses = [(await receiver.post(end_body(number))).status for number in range(10)]
            assert statuses == [200] * 3 + [503] * 7
            assert (await receiver.post(end_body(0))).status == 200  # it has its place

    run(main())
    assert caplog.text.count("callbacks are refused: the receiver is full") == 1


def test_a_slow_function_fills_the_receiver() -> None:
    """Verified events wait for the caller's function within the bound, and none of those accepted is lost."""
    gate = asyncio.Event()

    async def handle(_: Any) -> None:
        await gate.wait()

    async def main() -> None:
        async with receiving(handle, queue_size=5) as receiver:
            receiver.service.add(*range(100))
            accepted = []
            for number in range(100):
                if (await receiver.post(end_body(number))).status == 200:
                    accepted.append(call_id(number))
                await asyncio.sleep(2)
            assert 5 < len(accepted) < 40
            gate.set()
            await asyncio.sleep(100)
            assert sorted(receiver.ended) == accepted

    run(main())


# -- Without verification ---------------------------------------------------------------------------


def test_without_verification_every_event_is_handed_over_as_it_came() -> None:
    """With verify=False all callbacks are handed over at once, each once, and nothing is looked up."""

    async def main() -> None:
        async with receiving(verify=False) as receiver:
            for _ in range(2):
                await receiver.post(start_body(), query_of(START))
                await receiver.post(change_body("Accept"), query_of(CHANGE))
                await receiver.post(change_body("Hang Up"), query_of(CHANGE))
                await receiver.post(end_body())
                await receiver.post(b'{"CallbackCommand": "Call.New"}')
            await asyncio.sleep(1)
            kinds = [type(event) for _, event in receiver.events]
            assert kinds == [CallStarted, MembersChanged, MembersChanged, CallEnded, UnknownWebhook]
            assert not receiver.events[3][1].verified
            assert receiver.service.asked == []

    run(main())


def test_without_verification_the_queue_is_bounded_too() -> None:
    """Events that wait for a slow function are bounded, and a refused one is no repeat later."""
    gate = asyncio.Event()

    async def handle(_: Any) -> None:
        await gate.wait()

    async def main() -> None:
        async with receiving(handle, verify=False, queue_size=2) as receiver:
            await receiver.post(end_body(0))
            await asyncio.sleep(1)  # the function has it
            assert [(await receiver.post(end_body(number))).status for number in (1, 2, 3)] == [200, 200, 503]
            gate.set()
            await asyncio.sleep(1)
            assert (await receiver.post(end_body(3))).status == 200
            await asyncio.sleep(1)
            assert receiver.ended == [call_id(0), call_id(1), call_id(2), call_id(3)]

    run(main())


# -- Waiting ----------------------------------------------------------------------------------------


def start_of(number: int) -> datetime:
    return datetime.fromtimestamp(raw_record(number)["StartTime"], UTC)


@pytest.mark.parametrize("verify", [True, False])
def test_wait_returns_when_a_record_can_be_read(verify: bool) -> None:
    """It returns 5 seconds after the callback, with the call's start; of several calls, with the earliest."""

    async def main() -> None:
        async with receiving(verify=verify) as receiver:
            receiver.service.add(1, 2, 3)
            loop = asyncio.get_running_loop()
            begun_at = loop.time()
            await receiver.post(end_body(1))
            assert await receiver.app.wait() == start_of(1)
            assert 5.0 <= loop.time() - begun_at <= 5.2
            await receiver.post(end_body(3))
            await receiver.post(end_body(2))
            await asyncio.sleep(10)
            assert await receiver.app.wait() == start_of(2)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receiver.app.wait(), 1000)

    run(main())


def test_a_forged_callback_wakes_nobody() -> None:
    """With verification, wait() returns for calls that the service knows."""

    async def main() -> None:
        async with receiving() as receiver:
            await receiver.post(end_body(1))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receiver.app.wait(), 1000)

    run(main())


def test_a_cancelled_wait_loses_nothing() -> None:
    """Each wake-up comes through however often, and at whatever moment, a wait is cancelled."""

    async def main() -> None:
        async with receiving(verify=False) as receiver:
            found = 0
            for number in range(200):
                await receiver.post(end_body(number))
                # The wake-up is due in 5 s; each round cancels at another moment near it.
                waiting = asyncio.ensure_future(receiver.app.wait())
                await asyncio.sleep(4.9998 + number * 2e-6)
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    assert await waiting == start_of(number)
                    found += 1
                    continue
                assert await receiver.app.wait() == start_of(number)
            assert 0 < found < 200

    run(main())


# -- Beginning and end ------------------------------------------------------------------------------


def lifespan(app: WebhookApp) -> tuple[asyncio.Queue[dict[str, str]], asyncio.Queue[Any], asyncio.Task[None]]:
    """Run the lifespan of an app, as a server does."""
    to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    return to_app, from_app, asyncio.ensure_future(app({"type": "lifespan"}, to_app.get, from_app.put))


def test_the_lifespan_opens_and_closes_the_receiver() -> None:
    """A server's lifespan starts the tasks and ends them; afterwards callbacks get 503, until it begins anew."""

    async def main() -> None:
        async with receiving() as receiver:
            await receiver.app.aclose()
            before = asyncio.all_tasks()
            for _ in range(2):
                to_app, from_app, running = lifespan(receiver.app)
                await to_app.put({"type": "lifespan.startup"})
                assert await from_app.get() == {"type": "lifespan.startup.complete"}
                assert (await receiver.post(end_body())).status == 200
                await to_app.put({"type": "lifespan.shutdown"})
                assert await from_app.get() == {"type": "lifespan.shutdown.complete"}
                await running
                assert asyncio.all_tasks() == before
                assert (await receiver.post(end_body())).status == 503
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(receiver.app.wait(), 10)

    run(main())


def test_the_tasks_inherit_no_context_of_a_request() -> None:
    """The first request starts the tasks, and its context variables, such as a trace, do not stay with them."""
    trace: ContextVar[str] = ContextVar("trace", default="none")
    traces = []

    async def handle(_: Any) -> None:
        traces.append(trace.get())

    async def main() -> None:
        async with receiving(handle, verify=False) as receiver:
            await receiver.app.aclose()
            receiver.app._is_closed = False  # as if it had not been opened yet
            trace.set("of the request")
            await receiver.post(end_body(1))
            await asyncio.sleep(1)
            assert traces == ["none"]

    run(main())


def test_closing_says_what_was_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """Callbacks that were accepted and not handed over are counted in the log; closing twice is no error."""

    async def main() -> None:
        async with receiving() as receiver:
            await receiver.post(end_body(1))
            await receiver.post(end_body(2))
            await receiver.app.aclose()
            await receiver.app.aclose()

    run(main())
    assert caplog.messages == ["2 callbacks were dropped as their receiver closed"]


def test_closing_cancels_the_callers_function() -> None:
    """A function that waits when the receiver closes is cancelled, and closing does not wait for it."""
    ends = []

    async def handle(_: Any) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def main() -> None:
        async with receiving(handle, verify=False) as receiver:
            await receiver.post(end_body(1))
            await asyncio.sleep(1)
        assert ends == ["cancelled"]

    run(main())


def test_a_receiver_that_was_never_opened_can_be_closed(caplog: pytest.LogCaptureFixture) -> None:
    """Closing needs no callback before it, and makes later ones get 503."""

    async def main() -> None:
        async with receiving() as receiver:
            app = WebhookApp(asyncio.sleep, client=receiver.app._client)
            await app.aclose()
            assert (await call(app, end_body())).status == 503

    run(main())
    assert caplog.messages == ["callbacks are refused: the receiver is closed"]


def test_a_receiver_works_in_one_event_loop_after_another() -> None:
    """An app at module level serves each event loop, as the loops of a framework's tests."""
    events = []

    async def handle(event: Any) -> None:
        events.append(event)

    client = CallRecordsClient(
        sdk_app_id=1400000000, identifier="a", secret_key="k" * 64, base_url="http://127.0.0.1:9", attempts=1
    )
    app = WebhookApp(handle, client=client, verify=False)

    async def main(number: int) -> None:
        assert (await call(app, end_body(number))).status == 200
        await asyncio.sleep(10)
        assert await asyncio.wait_for(app.wait(), 1) == start_of(number)

    for number in range(3):
        run(main(number))
    assert len(events) == 3
    run(client.aclose())


@pytest.mark.parametrize(
    "arguments", [{"handle": None}, {"queue_size": 0}, {"queue_size": "1"}, {"max_body": 0}, {"max_body": True}]
)
def test_an_argument_that_cannot_be_used_is_refused(arguments: dict[str, Any]) -> None:
    """The message names the argument."""

    async def main() -> None:
        async with receiving() as receiver:
            with pytest.raises(ConfigurationError, match=next(iter(arguments))):
                WebhookApp(**{"handle": print, "client": receiver.app._client, **arguments})

    run(main())
