"""Other people's clients of Tencent's REST API against the sandbox: their signatures, and their way to send.

``tencentcloud-sdk-python-im`` is a client for Tencent's Chat, whose hosts, query parameters and UserSigs the
call-record API shares. Nobody offers one for call records; here it signs and sends their requests.
"""

import asyncio
import json
import os
import shutil
import subprocess

import pytest
from tencentcloud_im import tcim_client
from tencentcloud_im.tcim_client import TCIMClient

from trtc_records import AuthenticationError, CallRecordsClient, generate_user_sig
from trtc_records._api.usersig import read_user_sig, verify_user_sig
from trtc_records.sandbox import Sandbox

DAY = 86_400
KEY_OF_ANOTHER_APP = "0f" * 32
NPM_PACKAGE = "tls-sig-api-v2@1.0.2"
SIGN = """
const { Api } = require("tls-sig-api-v2");
const { APP, KEY, USER } = process.env;
const api = new Api(Number(APP), KEY);
console.log(JSON.stringify({
    plain: api.genUserSig(USER, 3600),
    "with room rights": api.genPrivateMapKey(USER, 3600, 1234, 255),
    "with rights to a room of text": api.genPrivateMapKeyWithStringRoomID(USER, 3600, "room", 255),
}));
"""
KINDS = ("plain", "with room rights", "with rights to a room of text")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Reach this machine without a proxy, whatever the environment names."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


# -- tencentcloud-sdk-python-im ---------------------------------------------------------------------------


def sdk_of(sandbox, **changes):
    """Return the SDK's client for a sandbox, or with something changed."""
    account = sandbox.credentials | changes
    url = f"{account['base_url']}/v4"
    return TCIMClient(account["sdk_app_id"], account["secret_key"], account["identifier"], tencent_url=url)


def send(sdk, path, **fields):
    """Send a request as each method of the SDK does, and return the decoded answer."""
    answer = tcim_client.requests.post(path, params=sdk._gen_query(), data=json.dumps(fields))
    assert answer.status_code == 200
    return answer.json()


def test_the_sdk_reads_all_pages(shared):
    """A walk by the SDK's signatures and its HTTP client gives the records that the sandbox has, in order."""
    sdk = sdk_of(shared)
    found = []
    page = 1
    while True:
        url = f"{sdk.tecent_url}/call_record_http_srv/get_record_by_filter"
        response = send(sdk, url, NumberPerPage=25, Page=page)["Response"]
        if not response["Page"]:
            break
        found += response["CallRecordList"]
        page += 1
    assert [each["CallId"] for each in found] == [record.call_id for record in shared.records]


def test_the_sdk_reads_the_older_service(shared):
    """The same signature and HTTP client serve the older service."""
    url = f"{shared.base_url}/v1/records/get_records_by_filter"
    data = send(sdk_of(shared), url, startTimestamp=int(shared.records[0].start_time.timestamp()))["data"]
    assert [each["callId"] for each in data["callRecordList"]] == [record.call_id for record in shared.records]


def test_a_method_of_the_sdk_gets_an_answer(shared):
    """A call that belongs to Chat is an unknown resource here, told in the envelope that the SDK's users know."""
    answer = sdk_of(shared).add_single_user("a", "A", "")
    assert answer.status_code == 200
    assert (answer.json()["ActionStatus"], answer.json()["ErrorCode"]) == ("FAIL", 60009)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret_key": KEY_OF_ANOTHER_APP}, 70009),
        ({"sdk_app_id": 1400000001}, 70020),
        ({"identifier": "user_1"}, 60010),
    ],
)
def test_a_wrong_account_of_the_sdk_is_refused(shared, changes, code):
    """The key of another app, another app and a plain user are refused as those of this library are."""
    sdk = sdk_of(shared, **changes)
    assert send(sdk, f"{sdk.tecent_url}/call_record_http_srv/get_record_by_filter")["ErrorCode"] == code


def test_a_user_sig_of_the_sdk_serves_this_library(shared):
    """The SDK's UserSig has the claims of this library's, and its bearer may read."""
    user_sig = sdk_of(shared).get_user_sig("administrator", DAY)
    check_user_sig(shared, user_sig, DAY)
    assert read_with(shared, user_sig) == 60


# -- tls-sig-api-v2 of npm --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sign_with_node(tmp_path_factory):
    """Return a function that has Tencent's package for Node sign UserSigs; skip where it cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs Node and npm")
    home = tmp_path_factory.mktemp("node")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(home), NPM_PACKAGE]
    try:
        done = subprocess.run(install, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer")
    if done.returncode:
        pytest.skip(f"npm cannot install {NPM_PACKAGE}: {done.stderr.strip()[-200:]}")

    def sign(sandbox, **changes):
        account = sandbox.credentials | changes
        environment = {
            **os.environ,
            "APP": str(account["sdk_app_id"]),
            "KEY": account["secret_key"],
            "USER": account["identifier"],
        }
        done = subprocess.run(
            [node, "-e", SIGN], cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return json.loads(done.stdout)

    return sign


def check_user_sig(sandbox, user_sig, lifetime):
    """Check that another's UserSig is the one that this library signs at the same second."""
    claims = verify_user_sig(user_sig, sandbox.credentials["secret_key"])
    account = {name: sandbox.credentials[name] for name in ("sdk_app_id", "identifier", "secret_key")}
    ours = generate_user_sig(**account, lifetime=lifetime, issued_at=claims.issued_at)
    assert (claims.sdk_app_id, claims.identifier, claims.lifetime) == (1400000000, "administrator", lifetime)
    assert claims == read_user_sig(ours)


def read_with(sandbox, user_sig, **arguments):
    """Return how many records a client of this library counts with a UserSig."""
    account = {name: value for name, value in sandbox.credentials.items() if name != "secret_key"}

    async def count():
        async with CallRecordsClient(**account, user_sig=user_sig, attempts=1, **arguments) as client:
            return await client.count()

    return asyncio.run(count())


@pytest.mark.slow
@pytest.mark.parametrize("service", ["current", "legacy"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_user_sig_of_node_is_accepted(shared, sign_with_node, kind, service):
    """A UserSig of Tencent's package for Node opens both services, with room rights too."""
    user_sig = sign_with_node(shared)[kind]
    assert read_with(shared, user_sig, service=service) == 60


@pytest.mark.slow
def test_a_user_sig_of_node_is_that_of_this_library(shared, sign_with_node):
    """At the same second, Tencent's package for Node signs the same text as this library."""
    check_user_sig(shared, sign_with_node(shared)["plain"], 3_600)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret_key": KEY_OF_ANOTHER_APP}, 70009),
        ({"sdk_app_id": 1400000001}, 70014),
        ({"identifier": "user_1"}, 70013),
    ],
)
def test_a_wrong_user_sig_of_node_is_refused(shared, sign_with_node, kind, changes, code):
    """A UserSig of Node for another key, app or identifier is refused for that reason."""
    user_sig = sign_with_node(shared, **changes)[kind]
    with pytest.raises(AuthenticationError) as caught:
        read_with(shared, user_sig)
    assert caught.value.code == code


def test_an_expired_user_sig_of_the_sdk_is_refused():
    """The lifetime that the SDK signs counts: by a clock a day ahead, its UserSig has expired."""
    with Sandbox(records=3, clock_skew=DAY) as sandbox:
        sdk = sdk_of(sandbox)
        url = f"{sdk.tecent_url}/call_record_http_srv/get_record_by_filter"
        assert send(sdk, url)["ErrorCode"] == 70001
