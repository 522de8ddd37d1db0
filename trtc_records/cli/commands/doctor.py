"""``trtc-records doctor``: checks of configuration, network, clock and account."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import Any, Final

import attrs
import httpx

from trtc_records import (
    AccountError,
    APIError,
    AuthenticationError,
    CallRecordPage,
    CallRecordsClient,
    CallRecordsError,
    ClockSkewWarning,
    ConfigurationError,
    Region,
    Service,
    __version__,
)
from trtc_records._environment import read_network
from trtc_records.cli._errors import explain_configuration
from trtc_records.cli._exit_codes import ExitCode
from trtc_records.cli._options import Log, Quiet, ServiceOption
from trtc_records.cli._output import Colour, configure_output, fit_encoding, flatten, paint
from trtc_records.cli._source import make_client

__all__ = ["EXAMPLES", "Finding", "doctor", "find_region", "judge_clock"]

EXAMPLES: Final = (
    ("trtc-records doctor", "in the environment of the job"),
    ("trtc-records doctor && trtc-records export -o calls.jsonl", "export only if every check passes"),
)

_OTHER_REGION: Final = 60026
_TIMEOUT: Final = 10.0
_PATIENCE: Final[dict[str, Any]] = {"attempts": 2, "timeout": _TIMEOUT}
_NOTICEABLE_SKEW: Final = 5.0  # seconds: a Date header and a slow network explain less
_HARMFUL_SKEW: Final = 60.0
_KEPT: Final = {
    Service.CURRENT: "calls that no deprecated interface started",
    Service.LEGACY: "calls that TUICallKit.call() or groupCall() started",
}
_COLOURS: Final = {"ok": Colour.GREEN, "note": Colour.YELLOW, "FAIL": Colour.RED}


@attrs.frozen
class Finding:
    """The result of one check."""

    subject: str
    text: str
    hint: str = ""
    """A remedy; empty where none is needed."""
    code: ExitCode = ExitCode.DONE
    """The exit code that this result calls for; ``DONE`` where it does no harm."""

    @property
    def mark(self) -> str:
        """Return ``FAIL``, ``note`` or ``ok``."""
        if self.code != ExitCode.DONE:
            return "FAIL"
        return "note" if self.hint else "ok"


def doctor(*, service: ServiceOption = None, quiet: Quiet = False, log_level: Log = None) -> ExitCode:
    """Check configuration, network, clock and account, and suggest fixes.

    Sends three requests, one of them without the credential, and one to the service that is not read: it says which of
    the two has calls. If the app belongs to another region, it also sends one to each region. Shows no secret.
    """
    configure_output(quiet=quiet, log_level=log_level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClockSkewWarning)  # a finding of its own
        return asyncio.run(_report(service))


async def _report(service: Service | None) -> ExitCode:
    code = ExitCode.DONE
    async with aclosing(_examine(service)) as findings:
        async for finding in findings:
            mark = paint(f"{finding.mark:<5}", _COLOURS[finding.mark], sys.stdout)
            print(f"{mark} {finding.subject:<14} {fit_encoding(flatten(finding.text))}")
            if finding.hint:
                print(f"{'':<20} {fit_encoding(flatten(finding.hint))}")
            code = code or finding.code
    return code


async def _examine(service: Service | None) -> AsyncGenerator[Finding, None]:
    yield Finding(
        "versions", f"trtc-records {__version__}, Python {platform.python_version()}, httpx {httpx.__version__}"
    )
    try:
        client = make_client(service, **_PATIENCE)
    except ConfigurationError as error:
        for problem, remedy in explain_configuration(error):
            yield Finding("configuration", problem, remedy, ExitCode.USAGE)
        return
    url = httpx.URL(client.base_url)
    key = os.environ.get("TRTC_SECRET_KEY", "").strip() or os.environ.get("TRTC_SECRET_KEY_FILE", "").strip()
    secret = "a secret key" if key else "a UserSig"
    identifier = os.environ["TRTC_IDENTIFIER"].strip()
    yield Finding(
        "configuration", f"app {client.sdk_app_id}, {identifier}, {secret}, {client.service} service at {url}"
    )
    other = make_client(Service.LEGACY if client.service is Service.CURRENT else Service.CURRENT, **_PATIENCE)
    async with client, other:
        reached = False
        async with aclosing(_probe(url)) as findings:
            async for finding in findings:
                reached = reached or (finding.subject == "network" and finding.code == ExitCode.DONE)
                yield finding
        if reached:
            answer, other_answer = await asyncio.gather(_ask(client), _ask(other))
            yield await _judge_account(answer, other.service, _count(other_answer))
            yield _judge_other(other_answer, other.service)


async def _probe(url: httpx.URL) -> AsyncGenerator[Finding, None]:
    """Check network, TLS and clock with a request that has no credential."""
    started, before = time.monotonic(), time.time()
    try:
        proxy, context = read_network(url)
        async with httpx.AsyncClient(timeout=_TIMEOUT, proxy=proxy, verify=context or True, trust_env=False) as http:
            response = await http.head(url)
    except (httpx.HTTPError, OSError) as error:
        reason = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            yield Finding(
                "tls",
                f"the certificate of {url.host} is not trusted: {reason}",
                "a proxy inspects TLS, or this machine's clock is wrong; SSL_CERT_FILE can name the proxy's authority",
                ExitCode.SERVICE,
            )
        else:
            yield Finding(
                "network",
                f"no answer from {url.host}: {reason}",
                "check the region, the firewall, and HTTPS_PROXY",
                ExitCode.SERVICE,
            )
        return
    took = time.monotonic() - started
    yield Finding("network", f"{url.host} answers in {took * 1000:.0f} ms, including the connection")
    encrypted = url.scheme == "https"
    yield Finding("tls", "the certificate is trusted" if encrypted else "not used: plain HTTP within this machine")
    yield judge_clock(response.headers.get("date", ""), before + took / 2)


def judge_clock(date: str, now: float) -> Finding:
    """Compare this machine's clock with the service's.

    Args:
        date: The Date header of a response.
        now: The time by this machine's clock when the header was written, in Unix seconds.
    """
    try:
        # The header has whole seconds, so on average it is half a second late.
        skew = now - (parsedate_to_datetime(date).timestamp() + 0.5)
    except (ValueError, OverflowError):
        return Finding("clock", "the response has no Date header", "check this machine's clock yourself")
    if abs(skew) <= _NOTICEABLE_SKEW:
        return Finding("clock", "agrees with the service's")
    text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the service's"
    if abs(skew) <= _HARMFUL_SKEW:
        return Finding("clock", text, "windows that end now are off by as much; synchronize the clock with NTP")
    return Finding(
        "clock",
        text,
        "synchronize the clock with NTP; until then, windows and UserSigs follow the service's clock",
        ExitCode.USAGE,
    )


async def _ask(client: CallRecordsClient) -> CallRecordPage | CallRecordsError:
    """Request one record, which needs the right key, identifier, package and region."""
    try:
        return await client.get_page(page_size=1)
    except CallRecordsError as error:
        return error


def _count(answer: CallRecordPage | CallRecordsError) -> str:
    """Return the number of records by an answer, as text; empty if there are none."""
    if isinstance(answer, CallRecordsError) or not answer.records:
        return ""
    return "records" if answer.total_num is None else f"{answer.total_num:,} records"


async def _judge_account(answer: CallRecordPage | CallRecordsError, other: Service, other_count: str) -> Finding:
    """Judge the answer of the service that is read.

    Args:
        answer: The answer.
        other: The other service.
        other_count: Its records; empty if it has none, or cannot be asked.
    """
    elsewhere = other_count and (
        f"the {other} service has {other_count}: set TRTC_SERVICE={other}, or pass --service {other}"
    )
    match answer:
        case AccountError(code=code) if code == _OTHER_REGION:
            return await _look_for_region(answer)
        case APIError():
            subject, exit_code = "service", ExitCode.SERVICE
            if isinstance(answer, AuthenticationError):
                subject, exit_code = "credentials", ExitCode.CREDENTIALS
            hint = "; ".join(filter(None, (answer.hint, elsewhere)))
            return Finding(subject, f"error {answer.code}: {answer.info}", hint, exit_code)
        case CallRecordsError():
            hint = "try again; if it persists, ask Tencent's support"
            return Finding("service", str(answer), hint, ExitCode.SERVICE)
    if count := _count(answer):
        return Finding("credentials", f"accepted; {count} of the last 7 days")
    hint = f"a record can be read 5 s after its call ended; check the app, and what the {other} service answers"
    return Finding("credentials", "accepted, but the app has no records of the last 7 days", elsewhere or hint)


def _judge_other(answer: CallRecordPage | CallRecordsError, service: Service) -> Finding:
    """Judge the answer of the service that is not read, whose failure does no harm."""
    subject = f"{service} calls"
    if isinstance(answer, APIError):
        return Finding(subject, f"error {answer.code}: {answer.info}", answer.hint or "the app may not use it")
    if isinstance(answer, CallRecordsError):
        return Finding(subject, str(answer), f"only {_KEPT[service]} are kept there")
    return Finding(subject, f"{_count(answer) or 'no records'} of the last 7 days")


async def _look_for_region(error: APIError) -> Finding:
    region = await find_region(
        lambda each: CallRecordsClient.from_env(region=each, service=Service.CURRENT, attempts=1, timeout=_TIMEOUT)
    )
    text = f"error {error.code}: the app lives in another region"
    if region is None:
        return Finding("region", text, f"and none of {', '.join(Region)} answers; {error.hint}", ExitCode.USAGE)
    return Finding(
        "region", text, f"{region} answers: set TRTC_REGION={region} and unset TRTC_BASE_URL", ExitCode.USAGE
    )


async def find_region(make_client: Callable[[Region], CallRecordsClient]) -> Region | None:
    """Return the region that accepts the app, or ``None``.

    Args:
        make_client: A function that makes a client for a region.
    """

    async def answers(region: Region) -> bool:
        async with make_client(region) as client:
            try:
                await client.get_page(page_size=1)
            except CallRecordsError:
                return False
        return True

    found = await asyncio.gather(*map(answers, Region))
    return next((region for region, answered in zip(Region, found, strict=True) if answered), None)
