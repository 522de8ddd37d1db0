"""CPU per page of 100 call records, compared with code that a user would write without this library.

The records are as users have them: calls that were never answered lack AcceptTime, each record has a field that no
page documents, and one call in eight is a group call. Near: a server without latency, one page after another. Paced:
at this library's default rate, near and from 100 ms away. This library gives typed records; the others stop at dicts.

Each way runs in a process of its own, in turn with the others, against one server in yet another; the others run in
environments that hold nothing else, with sniffio and without, which httpcore looks for several times per request.

``--baseline FOLDER`` adds the library of another checkout, and its share column says what this one needs of its CPU.

``bench_cpu.py fields`` takes a second: it reads pages in this process, whose records have unknown fields or lack
optional ones, and compares them with records that have exactly the documented fields. Then it measures the parts of
reading a page, and other parsers where they are installed: orjson, which makes floats of integers beyond 64 bits, so
that it needs a check, and msgspec.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service import describe_machine, service, show_table

PAGES = 300
ROUNDS = 5
PACE = 192  # requests per second: this library's
SETTINGS = {
    "near": {"latency": 0.0, "in_flight": 1, "paced": False},
    "near, paced": {"latency": 0.0, "in_flight": 16, "paced": True},
    "far, paced": {"latency": 0.1, "in_flight": 64, "paced": True},
}
OURS = "this library, typed"


class Unlimited:
    """A limiter without a limit, so that only the work is measured, not the waiting."""

    async def acquire(self) -> None:
        """Give a permit."""


async def ours(task: dict[str, Any]) -> float:
    """Walk with this library, at its defaults where the pace counts."""
    from trtc_records import CallRecordsClient

    options = {} if task["paced"] else {"limiter": Unlimited(), "max_in_flight": task["in_flight"]}
    async with CallRecordsClient(**task["credentials"], **options) as client:
        await client.get_page()
        started = time.process_time()
        pages = 0
        async for page in client.iter_pages():
            assert page.size == 100
            pages += 1
            if pages == task["pages"]:
                break
        return time.process_time() - started


async def plain_httpx(task: dict[str, Any]) -> float:
    """Read pages with httpx, up to the dicts."""
    import httpx

    limits = httpx.Limits(max_connections=task["in_flight"], max_keepalive_connections=task["in_flight"])
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def read(page: int) -> None:
            response = await client.post(task["url"], json={"NumberPerPage": 100, "Page": page})
            assert len(response.json()["Response"]["CallRecordList"]) == 100

        return await measure(read, task)


async def plain_aiohttp(task: dict[str, Any]) -> float:
    """Read pages with aiohttp, up to the dicts."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=task["in_flight"])
    async with aiohttp.ClientSession(connector=connector) as session:

        async def read(page: int) -> None:
            async with session.post(task["url"], json={"NumberPerPage": 100, "Page": page}) as response:
                assert len((await response.json(content_type=None))["Response"]["CallRecordList"]) == 100

        return await measure(read, task)


async def measure(read: Any, task: dict[str, Any]) -> float:
    """Return the CPU seconds of reading all pages, after one to warm up."""
    await read(1)
    gate = asyncio.Semaphore(task["in_flight"])
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def read_in_turn(page: int) -> None:
        async with gate:
            if task["paced"] and (wait := begun + page / PACE - loop.time()) > 0:
                await asyncio.sleep(wait)
            await read(page)

    started = time.process_time()
    if task["in_flight"] == 1:
        for page in range(1, task["pages"] + 1):
            await read(page)
    else:
        await asyncio.gather(*map(read_in_turn, range(1, task["pages"] + 1)))
    return time.process_time() - started


def compare_fields() -> None:
    """Print the time to read a page of records, by their fields."""
    from trtc_records import record_to_json
    from trtc_records._api.wire import RECORD_FORM
    from trtc_records.sandbox import make_records

    plain = list(map(record_to_json, make_records(100)))
    pages = {
        "the documented fields": plain,
        "one more": [{**raw, "Duration": 3} for raw in plain],
        "without AcceptTime": [_leave_out(raw, "AcceptTime") for raw in plain],
        "AcceptTime where answered": [raw if raw["AcceptTime"] else _leave_out(raw, "AcceptTime") for raw in plain],
        "without RoomId": [_leave_out(raw, "RoomId") for raw in plain],
        "one more, without RoomId": [_leave_out({**raw, "Duration": 3}, "RoomId") for raw in plain],
        "every second with one more": [{**raw, "Duration": 3} if place % 2 else raw for place, raw in enumerate(plain)],
    }
    least = dict.fromkeys(pages, math.inf)
    for _ in range(300):  # in turn, so that a slow moment of the machine hits all
        for name, raws in pages.items():
            started = time.process_time()
            RECORD_FORM.read_all(raws, "$", "", keep_invalid=False)
            least[name] = min(least[name], time.process_time() - started)
    base = least["the documented fields"]
    rows = [[name, f"{taken * 1000:.3f} ms", f"{taken / base:.2f}"] for name, taken in least.items()]
    show_table(f"Reading a page of 100 records ({describe_machine()})", ["fields", "least", "ratio"], rows)


def compare_parts() -> None:
    """Print the time of the parts of reading a page."""
    from trtc_records import CallRecordPage, record_to_json
    from trtc_records._api.wire import RECORD_FORM
    from trtc_records._walking.ledger import Ledger
    from trtc_records.sandbox import make_records

    raws = [{**record_to_json(record), "Duration": 3} for record in make_records(100)]
    text = json.dumps({"Response": {"CallRecordList": raws}}).encode()

    def read() -> CallRecordPage:
        return CallRecordPage(records=RECORD_FORM.read_all(raws, "$", "", keep_invalid=False)[0], page=1)

    parts: dict[str, Callable[[], object]] = {
        "json": lambda: json.loads(text),
        "records of dicts": read,
        "the same, and the keys by which a walk knows them": lambda: Ledger().take(read()),
    }
    if importlib.util.find_spec("orjson"):
        import orjson

        digits = bytes.maketrans(b"123456789", b"0" * 9)
        parts["orjson"] = lambda: orjson.loads(text)
        parts["the check for long integers"] = lambda: b"0" * 19 in text.translate(digits)
    if importlib.util.find_spec("msgspec"):
        import msgspec

        record = msgspec.defstruct("Record", [(name, Any, None) for name in raws[0]])
        page = msgspec.defstruct("Page", [("CallRecordList", list[record])])
        answers = msgspec.json.Decoder(msgspec.defstruct("Answer", [("Response", page)]))
        parts["msgspec, to dicts"] = lambda: msgspec.json.decode(text)
        parts["msgspec, to objects that declare each field"] = lambda: answers.decode(text)
    rows = []
    for name, part in parts.items():
        least = math.inf
        for _ in range(300):
            started = time.process_time()
            part()
            least = min(least, time.process_time() - started)
        rows.append([name, f"{least * 1000:.3f} ms"])
    show_table(f"Parts of reading a page of 100 records ({describe_machine()})", ["part", "least"], rows)


def _leave_out(raw: dict[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != left_out}


def make_environment(folder: str, *packages: str) -> str:
    """Make an environment of *packages*, and return its Python."""
    venv.create(folder, with_pip=True)
    python = str(Path(folder, "Scripts" if os.name == "nt" else "bin", "python"))
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def make_ways(folder: str, baseline: Path | None) -> dict[str, list[str]]:
    """Return the command of each way: a Python, the folder of the library for it, and the function."""
    import trtc_records

    here = str(Path(trtc_records.__file__).parents[1])
    ways = {OURS: [sys.executable, here, "ours"]}
    if baseline is not None:
        return {**ways, "the baseline, typed": [sys.executable, str(baseline.resolve()), "ours"]}
    plain = make_environment(f"{folder}/plain", "httpx", "aiohttp")
    with_sniffio = make_environment(f"{folder}/sniffio", "httpx", "sniffio", "attrs")  # attrs: service.py imports it
    return {
        **ways,
        "plain httpx, dicts": [plain, "", "plain_httpx"],
        "plain httpx with sniffio, dicts": [with_sniffio, "", "plain_httpx"],
        "plain aiohttp, dicts": [plain, "", "plain_aiohttp"],
    }


def run(command: list[str], task: dict[str, Any]) -> float:
    """Run one way in a process and return its milliseconds of CPU per page."""
    python, folder, way = command
    environment = {**os.environ, "PYTHONPATH": folder}
    arguments = [python, __file__, way, json.dumps(task)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout) / task["pages"] * 1000


def compare(baseline: Path | None, rounds: int) -> None:
    """Print the table."""
    import attrs
    from bench_rate import request_of

    from trtc_records.sandbox import Behaviour, make_records

    rows = []
    behaviour = Behaviour(unanswered="absent")
    records = [attrs.evolve(record, extra={"Duration": 3}) for record in make_records(PAGES * 100 + 5000)]
    with tempfile.TemporaryDirectory() as folder:
        ways = make_ways(folder, baseline)
        for setting, options in SETTINGS.items():
            with service(records=records, latency=options["latency"], quota=None, behaviour=behaviour) as server:
                url = request_of(server.credentials, 1)["url"]
                task = {"credentials": server.credentials, "url": url, "pages": PAGES, **options}
                taken: dict[str, list[float]] = {name: [] for name in ways}
                for _ in range(rounds):
                    for name, command in ways.items():
                        taken[name].append(run(command, task))
            for name, figures in taken.items():
                share = statistics.median(mine / its for mine, its in zip(taken[OURS], figures, strict=True))
                row = [setting, name, f"{min(figures):.2f} ms", f"{statistics.median(figures):.2f} ms"]
                rows.append([*row, "" if name == OURS else f"{share:.2f}"])
    head = ["setting", "way", "least", "median", "this library's share of it"]
    show_table(f"CPU per page of 100 records ({describe_machine()})", head, rows)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["all", "fields"], default="all")
    parser.add_argument(
        "--baseline", type=Path, metavar="FOLDER", help="another checkout to compare with, and no peers"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that each way runs (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.what == "fields":
        compare_fields()
        compare_parts()
    else:
        compare(arguments.baseline, arguments.rounds)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"ours", "plain_httpx", "plain_aiohttp"}:
        print(asyncio.run(globals()[sys.argv[1]](json.loads(sys.argv[2]))))
    else:
        main()
