"""The account from ``TRTC_…`` variables, and from the files that they name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SECRET_KEY
from http_server import Request, serve
from records import page_answer

from trtc_records import CallRecordsClient, ConfigurationError
from trtc_records._api.usersig import generate_user_sig, verify_user_sig

pytestmark = pytest.mark.anyio

ACCOUNT = {"TRTC_SDK_APP_ID": "1400000001", "TRTC_IDENTIFIER": "administrator", "TRTC_REGION": "singapore"}
USER_SIG = generate_user_sig(1400000001, "administrator", SECRET_KEY)


async def send_one(environ: dict[str, str], **arguments: Any) -> dict[str, list[str]]:
    """Return the parameters of a request that a client of this environment sends."""

    async def handle(request: Request) -> dict[str, Any]:
        return page_answer([], 0, 0)

    environ = {name: value for name, value in environ.items() if name != "TRTC_REGION"}
    async with (
        serve(handle) as server,
        CallRecordsClient.from_env({**environ, "TRTC_BASE_URL": f"{server.base_url}\r\n"}, **arguments) as client,
    ):
        await client.get_page()
    return server.requests[0].parameters


@pytest.mark.parametrize("template", ["{}\n", "{}\r\n", " {}\t", "\ufeff{}\n"], ids=ascii)
async def test_white_space_around_every_variable_is_cut(template: str) -> None:
    """A mounted file, a CRLF file or an editor's byte order mark changes neither account nor signature."""
    environ = {name: template.format(value) for name, value in {**ACCOUNT, "TRTC_SECRET_KEY": SECRET_KEY}.items()}
    sent = await send_one(environ)
    assert (sent["sdkappid"], sent["identifier"]) == (["1400000001"], ["administrator"])
    assert verify_user_sig(sent["usersig"][0], SECRET_KEY).identifier == "administrator"
    assert "adminapisgp" in repr(CallRecordsClient.from_env(environ))


async def test_white_space_around_arguments_is_cut() -> None:
    """A key that was read from a file by hand signs as well."""
    sent = await send_one(ACCOUNT, secret_key=f"{SECRET_KEY}\r\n", identifier="administrator\n")
    assert verify_user_sig(sent["usersig"][0], SECRET_KEY).identifier == "administrator"
    sent = await send_one(ACCOUNT, user_sig=lambda: f"\ufeff{USER_SIG}\n")
    assert sent["usersig"] == [USER_SIG]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
async def test_a_file_holds_the_credential(tmp_path: Path, ending: str) -> None:
    """``TRTC_SECRET_KEY_FILE`` and ``TRTC_USER_SIG_FILE`` name it; the path may have a line feed behind it too."""
    path = tmp_path / "secret"
    path.write_bytes(f"\ufeff{SECRET_KEY}{ending}".encode())
    sent = await send_one({**ACCOUNT, "TRTC_SECRET_KEY_FILE": f"{path}\n"})
    assert verify_user_sig(sent["usersig"][0], SECRET_KEY)
    path.write_bytes(f"{USER_SIG}{ending}".encode())
    assert (await send_one({**ACCOUNT, "TRTC_USER_SIG_FILE": str(path)}))["usersig"] == [USER_SIG]


@pytest.mark.parametrize("variable", ["TRTC_SECRET_KEY_FILE", "TRTC_USER_SIG_FILE"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"k" * 70_000, "is too large"),
        (b"\xff\xfek\0e\0y\0", "is not text in UTF-8"),
        (b"key\nsecond line", "holds several lines"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, variable: str, content: bytes | None, reason: str) -> None:
    """The message has variable, path and reason."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        CallRecordsClient.from_env({**ACCOUNT, variable: str(path)})
    assert str(caught.value).startswith(f"{variable}={str(path)!r} {reason}; set it to")


def test_a_directory_or_a_file_of_somebody_else_is_named(tmp_path: Path) -> None:
    """The system's reason is part of the message."""
    with pytest.raises(ConfigurationError, match="TRTC_SECRET_KEY_FILE='.*' cannot be read: "):
        CallRecordsClient.from_env({**ACCOUNT, "TRTC_SECRET_KEY_FILE": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="TRTC_SECRET_KEY_FILE=.* cannot be read: embedded null"):
        CallRecordsClient.from_env({**ACCOUNT, "TRTC_SECRET_KEY_FILE": "a\0b"})


def test_a_secret_in_place_of_its_path_is_not_shown() -> None:
    """The key itself where a path belongs is a mistake that happens."""
    with pytest.raises(ConfigurationError, match="^TRTC_SECRET_KEY_FILE=a long name cannot be read") as caught:
        CallRecordsClient.from_env({**ACCOUNT, "TRTC_SECRET_KEY_FILE": SECRET_KEY})
    assert SECRET_KEY not in str(caught.value)


@pytest.mark.parametrize(
    "variables",
    [
        ("TRTC_SECRET_KEY", "TRTC_SECRET_KEY_FILE"),
        ("TRTC_SECRET_KEY", "TRTC_USER_SIG_FILE"),
        ("TRTC_SECRET_KEY_FILE", "TRTC_USER_SIG"),
        ("TRTC_SECRET_KEY", "TRTC_SECRET_KEY_FILE", "TRTC_USER_SIG", "TRTC_USER_SIG_FILE"),
        ("TRTC_REGION", "TRTC_BASE_URL"),
    ],
)
def test_two_variables_for_one_thing_are_refused_by_name(variables: tuple[str, ...]) -> None:
    """Which of them counts would be a guess."""
    environ = {**ACCOUNT, **dict.fromkeys(variables, "x")}
    if "TRTC_BASE_URL" in variables:
        environ["TRTC_SECRET_KEY"] = "x"
    with pytest.raises(ConfigurationError, match=f"^{' and '.join(variables)} are set: keep one of them$"):
        CallRecordsClient.from_env(environ)


def test_an_argument_wins_over_every_variable_for_the_same() -> None:
    """A file that a variable names is not even read then."""
    environ = {**ACCOUNT, "TRTC_SECRET_KEY_FILE": "/no/such/file", "TRTC_USER_SIG": "x"}
    assert "1400000001" in repr(CallRecordsClient.from_env(environ, secret_key=SECRET_KEY))


@pytest.mark.parametrize(
    "environ", [[], "TRTC_SECRET_KEY=x", {**ACCOUNT, "TRTC_SECRET_KEY": 5}, {**ACCOUNT, "TRTC_SECRET_KEY": b"key"}]
)
def test_an_environment_of_another_type_is_refused(environ: Any) -> None:
    """The error is one of ours, not of the code that reads it."""
    with pytest.raises(ConfigurationError, match=r"^(environ|secret_key): "):
        CallRecordsClient.from_env(environ)


@pytest.mark.parametrize("name", ["timout", "secretkey", "environment"])
def test_an_unknown_argument_is_named(name: str) -> None:
    """The constructor's own check would come after the environment's."""
    arguments: dict[str, Any] = {name: "x"}
    with pytest.raises(TypeError, match=f"^CallRecordsClient has no argument {name}$"):
        CallRecordsClient.from_env({}, **arguments)


class Subclass(CallRecordsClient):
    """A client with an argument of its own."""

    def __init__(self, *, tenant: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.tenant = tenant


def test_a_subclass_may_have_arguments_of_its_own() -> None:
    """from_env passes them on."""
    arguments: dict[str, Any] = {"tenant": "a"}
    environ = {**ACCOUNT, "TRTC_SECRET_KEY": SECRET_KEY}
    assert Subclass.from_env(environ, **arguments).tenant == "a"


@pytest.mark.slow
def test_mypy_finds_a_wrong_argument_of_from_env() -> None:
    """A misspelled name and a wrong type are errors, as they are for the constructor."""
    pytest.importorskip("mypy")
    code = "from trtc_records import CallRecordsClient as C\nC.from_env(timout=3)\nC.from_env(timeout='x')\n"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--strict", "--follow-imports=silent", "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert [line.rpartition("[")[2] for line in done.stdout.splitlines() if "error:" in line] == [
        "call-arg]",
        "arg-type]",
    ], done.stdout


def test_types_of_from_env_are_those_of_the_constructor() -> None:
    """Both lists are written by hand, because type checkers read no other."""
    from trtc_records._client import ClientArguments

    constructor = dict(CallRecordsClient.__init__.__annotations__)
    del constructor["return"]
    typed = {name: value.__forward_arg__ for name, value in ClientArguments.__annotations__.items()}
    assert typed == constructor


@pytest.mark.parametrize("end", ["pass", "await client.aclose()", "raise SystemExit"])
def test_a_client_that_was_not_closed_warns_even_at_the_end_of_the_program(end: str) -> None:
    """A global client is met by the interpreter's shutdown, in which nothing else is written."""
    code = (
        "import asyncio, contextlib\n"
        "from trtc_records import CallRecordsClient, CallRecordsError\n"
        "client = CallRecordsClient.from_env(attempts=1)\n"
        "async def main():\n"
        "    with contextlib.suppress(CallRecordsError):\n"
        "        await client.get_record('x')\n"
        f"    {end}\n"
        "asyncio.run(main())\n"
    )
    environ = {**ACCOUNT, "TRTC_SECRET_KEY": SECRET_KEY, "TRTC_BASE_URL": "http://127.0.0.1:1", "TRTC_REGION": ""}
    done = subprocess.run(
        [sys.executable, "-W", "default::ResourceWarning", "-c", code],
        env={**os.environ, **environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = "ResourceWarning: unclosed CallRecordsClient(sdk_app_id=1400000001, identifier='administrator'"
    assert (shown in done.stderr) is ("aclose" not in end)
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET_KEY not in done.stderr
