"""``trtc-records sandbox``: the service on a local port."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from trtc_records.cli._errors import CommandError
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import Log, Quiet
from trtc_records.cli._output import configure_output, note

if TYPE_CHECKING:
    from trtc_records.sandbox import Faults, Sandbox

__all__ = ["EXAMPLES", "sandbox"]

EXAMPLES: Final = (
    ("trtc-records sandbox --port 8080 --records 50000", "a busy week"),
    ("trtc-records sandbox --fault http_502=0.02 --fault reset=0.01", "two kinds of failures"),
    ("trtc-records sandbox --deepest 10000 --beyond empty --total-cap 10000", "no page beyond a depth"),
    ("trtc-records sandbox --calls-in legacy", "calls of the older service"),
    ("trtc-records sandbox --live 30/min --call-seconds 1-12", "calls that start and end meanwhile"),
    ("trtc-records sandbox --live 2/s --webhook-url http://127.0.0.1:8000/callback", "callbacks, too"),
)


def _count(help_text: str, *, minimum: int = 1) -> Any:
    return typer.Option(min=minimum, metavar="N", help=help_text)


def _seconds(help_text: str, *, minimum: float | None = 0) -> Any:
    return typer.Option(min=minimum, metavar="SECONDS", help=help_text)


def _probability(help_text: str) -> Any:
    return typer.Option(min=0, max=1, metavar="P", help=help_text)


def _flag(name: str, help_text: str) -> Any:
    return typer.Option(name, help=help_text)


def _read_lengths(text: str) -> float | tuple[float, float]:
    least, _, greatest = text.partition("-")
    try:
        return (float(least), float(greatest)) if greatest else float(least)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no length of calls: write 60, or 1-12") from None


def sandbox(
    *,
    quiet: Quiet = False,
    log_level: Log = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="N", help="Port; 0 takes a free one.")] = 0,
    records: Annotated[int, _count("Number of call records to make up.", minimum=0)] = 2_000,
    calls_in: Annotated[
        Literal["both", "current", "legacy"],
        typer.Option(help="Service that keeps the calls: the current one, the older one, or both; another has none."),
    ] = "both",
    live: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Rate of calls that start while it serves: 30/min, 2/s, 1000/h or 100000/day. Each can be read 5 "
            "seconds after its end.",
        ),
    ] = None,
    call_seconds: Annotated[
        Any,
        typer.Option(
            parser=_read_lengths,
            metavar="SECONDS",
            help="Length of live calls: 60 on average, or 1-12, drawn evenly. By default as long as suits the result.",
        ),
    ] = None,
    webhook_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="URL of this machine to post callbacks of live calls to; set_callback replaces it."
        ),
    ] = None,
    webhook_loss: Annotated[float, _probability("Probability that a callback is not posted.")] = 0.0,
    webhook_repetition: Annotated[float, _probability("Probability that a callback is posted twice.")] = 0.0,
    webhook_delay: Annotated[float, _seconds("Greatest random delay of a callback.")] = 0.0,
    webhook_forgery: Annotated[
        float, _probability("Probability that a callback that is not true comes with the end of a call.")
    ] = 0.0,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", help="Seed: the same one makes the same records, order, faults, drift and live calls."
        ),
    ] = 0,
    quota: Annotated[int, _count("Requests allowed in any one second; 0 for no limit.", minimum=0)] = 200,
    latency: Annotated[float, _seconds("Time from a request to its answer.")] = 0.0,
    jitter: Annotated[float, _seconds("Greatest random addition to the latency.")] = 0.0,
    capacity: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="N", help="Requests that the service does per second; by default no limit."),
    ] = None,
    clock_skew: Annotated[
        float, _seconds("Lead of the service's clock over this machine's; negative if it is behind.", minimum=None)
    ] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=P",
            help="Probability of a fault: http_502, http_429, reset, truncated, internal_error, rate_limited, slow or "
            "not_json, such as http_502=0.02. May be repeated.",
        ),
    ] = None,
    slow_seconds: Annotated[float, _seconds("Extra time that the fault slow takes.")] = 5.0,
    retry_after: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="Retry-After of the fault http_429.")] = 1,
    arrivals: Annotated[float, _probability("Probability that a record appears before a query.")] = 0.0,
    expiries: Annotated[float, _probability("Probability that the oldest record goes away before a query.")] = 0.0,
    anywhere: Annotated[
        bool, _flag("--anywhere", "Lets --arrivals appear anywhere in a query's window, not only at its recent end.")
    ] = False,
    replica_lag: Annotated[
        float, _probability("Probability that an answer lacks the record that appeared last.")
    ] = 0.0,
    end: Annotated[
        Literal["page_zero", "empty_list", "error", "absent", "null"],
        typer.Option(help="Answer to a page after the last one: Page 0, an empty list, error 101050, or no fields."),
    ] = "page_zero",
    order: Annotated[
        Literal["ascending", "descending", "random"], typer.Option(help="Order of records by StartTime.")
    ] = "ascending",
    page_cap: Annotated[int | None, _count("Greatest number of records of a page.")] = None,
    deepest: Annotated[
        int | None, _count("Last position, counted in records, that a page may reach (Page times its length).")
    ] = None,
    beyond: Annotated[
        Literal["invalid_parameter", "illegal_parameter", "internal_error", "empty", "repeat"],
        typer.Option(
            help="Answer to a page beyond --deepest: error 101002, 70402 or 101001, an empty page, or the deepest page "
            "once more."
        ),
    ] = "invalid_parameter",
    total_cap: Annotated[int | None, _count("Greatest TotalNum.")] = None,
    window: Annotated[
        Literal["start", "end", "within", "overlap"],
        typer.Option(help="Part of a call that lies in a query's window: its start, its end, both, or any moment."),
    ] = "start",
    half_open: Annotated[bool, _flag("--half-open", "Leaves EndTime itself out of a query's window.")] = False,
    unanswered: Annotated[
        Literal["zero", "null", "absent"], typer.Option(help="AcceptTime of a call that was never answered.")
    ] = "zero",
    room_id_type_as_text: Annotated[bool, _flag("--room-id-type-as-text", "Sends RoomIdType as a string.")] = False,
    error_code_as_text: Annotated[
        bool, _flag("--error-code-as-text", "Sends errorCode of the older service as a string.")
    ] = False,
    bare_record: Annotated[
        bool, _flag("--bare-record", "Answers a look-up of the older service with the record itself as its data.")
    ] = False,
    extra_fields: Annotated[bool, _flag("--extra-fields", "Adds fields that no page documents.")] = False,
    new_enum_values: Annotated[
        bool, _flag("--new-enum-values", "Gives a quarter of the records values that no page documents.")
    ] = False,
    quota_code: Annotated[
        Literal[60007, 60011, 60018, 60019], typer.Option(help="Error code of a request over the quota.")
    ] = 60011,
) -> ExitCode:
    """Serve made-up call records on this machine until Ctrl-C.

    Prints the environment variables that make this command, and CallRecordsClient.from_env(), use it. By default it
    answers as Tencent documents; options choose faults, and answers that the documentation leaves open.
    """
    configure_output(quiet=quiet, log_level=log_level)
    from trtc_records.sandbox import Behaviour, Drift, Sandbox, Webhooks, serve  # noqa: PLC0415  (takes time to import)

    try:
        service = Sandbox(
            port=port,
            records=records,
            calls_in=calls_in,
            live=live,
            call_seconds=call_seconds,
            webhook_url=webhook_url,
            webhooks=Webhooks(
                loss=webhook_loss,
                repetition=webhook_repetition,
                delay=webhook_delay,
                forgery=webhook_forgery,
            ),
            seed=seed,
            quota=quota or None,
            latency=latency,
            jitter=jitter,
            capacity=capacity,
            clock_skew=clock_skew,
            faults=_make_faults(fault or (), slow_seconds=slow_seconds, retry_after=retry_after),
            drift=Drift(
                arrivals=arrivals,
                expiries=expiries,
                anywhere=anywhere,
                replica_lag=replica_lag,
            ),
            behaviour=Behaviour(
                end=end,
                order=order,
                page_cap=page_cap,
                deepest=deepest,
                beyond=beyond,
                total_cap=total_cap,
                window=window,
                half_open=half_open,
                unanswered=unanswered,
                room_id_type_as_text=room_id_type_as_text,
                error_code_as_text=error_code_as_text,
                bare_record=bare_record,
                extra_fields=extra_fields,
                new_enum_values=new_enum_values,
                quota_code=quota_code,
            ),
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    try:
        serve(service, _announce)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot listen on port {port}: {error.strerror or error}", "try another --port") from error
    return ExitCode.DONE


def _make_faults(settings: Iterable[str], *, slow_seconds: float, retry_after: int) -> Faults:
    """Make the faults of ``http_502=0.02``, and more such.

    Raises:
        CommandError: One is malformed, or names no fault.
        ValueError: The probabilities cannot be used.
    """
    from trtc_records.sandbox import Faults  # noqa: PLC0415  (as above)

    chances = {}
    for setting in settings:
        kind, _, chance = setting.partition("=")
        if kind not in Faults().probabilities:
            raise CommandError(f"--fault {setting} names no fault", f"write {', '.join(Faults().probabilities)}")
        try:
            chances[kind] = float(chance)
        except ValueError:
            raise CommandError(f"--fault {setting} has no probability", f"write {kind}=0.02") from None
    return Faults(slow_seconds=slow_seconds, retry_after=retry_after, **chances)


def _announce(service: Sandbox) -> None:
    for name, value in service.environment.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    note(f"The sandbox answers at {service.base_url} until Ctrl-C.")
