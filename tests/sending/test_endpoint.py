"""The URL of requests: a region's host, or a URL to which a credential can be sent safely."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from trtc_records._api.models import REGION_HOSTS, Region
from trtc_records._errors import ConfigurationError
from trtc_records._secret import hide
from trtc_records._sending.endpoint import check_base_url, choose_proxy


def exactly(message: str) -> str:
    """Return the pattern that only *message* matches."""
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize("region", Region)
def test_a_region_becomes_its_host(region: Region) -> None:
    """A region is asked over HTTPS at its host."""
    assert str(check_base_url(region, None)) == f"https://{region.host}"


@pytest.mark.parametrize(
    "spelling", ["silicon-valley", "Silicon Valley", "SILICON_VALLEY", "silicon_valley", " Silicon-Valley "]
)
def test_a_region_may_be_spelled_as_people_do(spelling: str) -> None:
    """Tencent's words, the enum's name and its value all mean the region."""
    assert check_base_url(spelling, None).host == Region.SILICON_VALLEY.host


@pytest.mark.parametrize("region", ["mars", "", "siliconvalley", "adminapisgp.im.qcloud.com", 5, b"china"], ids=repr)
def test_an_unknown_region_is_refused_with_a_list(region: Any) -> None:
    """The message shows the value and lists all regions."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(f"region={region!r}: pass one of {REGION_HOSTS}"),
    ):
        check_base_url(region, None)


@pytest.mark.parametrize(
    ("region", "base_url", "given_"),
    [(None, None, "neither"), ("china", "https://host", "both")],
    ids=["neither", "both"],
)
def test_exactly_one_of_region_and_base_url_is_needed(region: str | None, base_url: str | None, given_: str) -> None:
    """Neither or both is refused, with a list of the regions."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(
            f"region and base_url: {given_} given; pass one of them, region= (one of {REGION_HOSTS}) or base_url="
        ),
    ):
        check_base_url(region, hide(base_url))


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy.example.com",
        "HTTPS://proxy.example.com:8443/trtc",
        "https://10.0.0.1",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:8080",
        "http://LOCALHOST",
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_taken(url: str) -> None:
    """The URL comes out as an equivalent one."""
    checked = str(check_base_url(None, hide(url))).removesuffix("/")
    assert checked.lower() == url.lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.com",
        "http://10.0.0.1",
        "http://128.0.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "ws://localhost",
    ],
)
def test_http_beyond_this_machine_is_refused(url: str) -> None:
    """The credential travels in the URL, so it goes in the clear to this machine only."""
    with pytest.raises(
        ConfigurationError,
        match=exactly(
            f"base_url={url!r}: pass an https:// URL, as the credential travels in it "
            "(http:// is for this machine's own addresses only)"
        ),
    ):
        check_base_url(None, hide(url))


PARTS_ONLY = "base_url: not a URL of the form 'https://host', with a port and a path if need be, and no more"


@pytest.mark.parametrize("url", ["https://[::1", "https://host:port", "https://ho\x00st", "https://" + "a" * 70_000])
def test_what_is_no_url_is_refused(url: str) -> None:
    """The message shows an example of a URL."""
    with pytest.raises(ConfigurationError, match=exactly(PARTS_ONLY)):
        check_base_url(None, hide(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@host",
        "https://hunter2@host",
        "http://user:hunter2@127.0.0.1",
        "https://host/?usersig=hunter2",
        "https://host#hunter2",
        "ftp://user:hunter2@host",
        "hunter2",
        "https://",
        "",
        " ",
        5,
        b"https://user:hunter2@host",
        "https://user:hunter2@h\udcff",
        "/hunter2",
    ],
)
def test_a_url_with_more_than_an_address_is_refused_unseen(url: object) -> None:
    """The message does not show the value, which may contain a password."""
    with pytest.raises(ConfigurationError, match=exactly(PARTS_ONLY)):
        check_base_url(None, hide(url))


@pytest.mark.parametrize("url", ["https://user:hunter2@host:port", "https://user:hunter2@[zz]", "https://user:hunter2"])
def test_a_password_in_what_is_no_url_is_not_shown(url: str) -> None:
    """A password is one also where a typing error stands beside it."""
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(None, hide(url))
    assert "hunter2" not in str(caught.value)


def test_white_space_around_a_url_or_a_region_is_cut() -> None:
    """A file that ends in CRLF, or begins with a byte order mark, names the same address."""
    assert check_base_url(None, hide("\ufeff https://host\r\n")) == "https://host"
    assert check_base_url("\ufeffsingapore\r\n", None).host == Region.SINGAPORE.host


def test_white_space_around_a_proxy_is_cut() -> None:
    """A proxy is taken without the line feed behind it."""
    proxy = choose_proxy(httpx.URL("https://host"), hide("\ufeffhttp://proxy:3128\r\n"))
    assert proxy is not None
    assert proxy.url == "http://proxy:3128"
