"""The URL of requests: a region's host, or a URL to which a credential can be sent safely."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from trtc_records._api.models import HOSTS, Region, list_hosts
from trtc_records._errors import ConfigurationError
from trtc_records._secret import hide
from trtc_records._sending.endpoint import check_base_url, choose_proxy, load_environment_trust


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
        match=exactly(f"region={region!r}: pass one of {list_hosts(HOSTS)}"),
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
            f"region and base_url: {given_} given; pass one of them, region= (one of {list_hosts(HOSTS)}) or base_url="
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


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1",
        "https://host:port",
        "https://host:65536",
        "https://host:0",
        "https://ho\x00st",
        "https://a..b",
        "https://.host",
        "https://" + "a" * 64 + ".com",
        "https://xn--a",
        "https://" + "a" * 70_000,
        "",
        " ",
        5,
    ],
)
def test_a_text_that_is_no_url_is_refused(url: Any) -> None:
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
def test_a_password_in_a_text_that_is_no_url_is_not_shown(url: str) -> None:
    """A password is one also where a typing error stands beside it."""
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(None, hide(url))
    assert "hunter2" not in str(caught.value)


# -- Proxies of the environment ----------------------------------------------------------------------

HOST = "https://adminapisgp.im.qcloud.com"


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set a proxy, and nothing else."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    return monkeypatch


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    ("entries", "url", "is_direct"),
    [
        ("", HOST, False),
        ("*", HOST, True),
        ("other.example, *", HOST, True),
        ("adminapisgp.im.qcloud.com", HOST, True),
        ("ADMINAPISGP.im.QCloud.com", HOST, True),
        ("adminapisgp.im.qcloud.com.", HOST, True),
        ("qcloud.com", HOST, True),
        (".qcloud.com", HOST, True),
        ("*.qcloud.com", HOST, True),
        ("*qcloud.com", HOST, True),
        ("cloud.com", HOST, False),
        ("qcloud.co", HOST, False),
        ("a.adminapisgp.im.qcloud.com", HOST, False),
        ("qcloud.com:443", HOST, True),
        ("*.qcloud.com:443", HOST, True),
        ("qcloud.com:8443", HOST, False),
        ("qcloud.com:8443", f"{HOST}:8443", True),
        ("https://adminapisgp.im.qcloud.com", HOST, True),
        ("all://qcloud.com", HOST, True),
        ("http://adminapisgp.im.qcloud.com", HOST, False),
        ("a.example b.example\tqcloud.com", HOST, True),
        ("localhost", "https://localhost:8443", True),
        ("127.0.0.0/8", "https://127.1.2.3", True),
        ("127.0.0.0/8", "https://128.1.2.3", False),
        ("127.0.0.1/8", "https://127.1.2.3:8443", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:443", "https://10.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.30", False),
        ("10.0.0.0/8", HOST, False),
        ("::1", "https://[::1]", True),
        ("[::1]", "https://[::1]:8443", True),
        ("[::1]:443", "https://[::1]", True),
        ("[::1]:443", "https://[::1]:8443", False),
        ("0:0:0:0:0:0:0:1", "https://[::1]", True),
        ("fe80::/10", "https://[fe80::1]", True),
        ("fe80::/10", "https://127.0.0.1", False),
        ("qcloud.com:port", HOST, False),
        ("[", HOST, False),
        (":443", HOST, False),
        (",,", HOST, False),
    ],
)
def test_no_proxy_names_hosts_networks_and_ports(
    proxied: pytest.MonkeyPatch, variable: str, entries: str, url: str, is_direct: bool
) -> None:
    """Its entries are read as httpx reads them, and networks and IPv6 in brackets too."""
    proxied.setenv(variable, entries)
    assert (choose_proxy(httpx.URL(url), None) is None) is is_direct


# -- Certificates of the environment -----------------------------------------------------------------


def _make_bad_paths(folder: Path) -> dict[str, Path]:
    """Return paths that hold no certificate."""
    (folder / "empty.pem").touch()
    (folder / "text.pem").write_text("no certificate")
    (folder / "key.pem").write_bytes(trustme.CA().private_key_pem.bytes())
    (folder / "empty").mkdir()
    (folder / "unhashed").mkdir()
    trustme.CA().cert_pem.write_to_path(folder / "unhashed" / "ca.pem")
    return {
        name: folder / name for name in ("gone", "empty.pem", "text.pem", "key.pem", "empty", "unhashed", "text.pem/x")
    }


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("name", ["gone", "empty.pem", "text.pem", "key.pem", "empty", "unhashed", "text.pem/x"])
def test_certificates_of_the_environment_that_cannot_be_read_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, name: str
) -> None:
    """The error names the variable and the path, and comes before anything is sent."""
    path = _make_bad_paths(tmp_path)[name]
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(ConfigurationError, match=f"^{variable}={re.escape(repr(str(path)))}: .*or unset it$"):
        load_environment_trust(httpx.URL(HOST))
    assert load_environment_trust(httpx.URL("http://127.0.0.1")) is None


def test_certificates_of_the_environment_are_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file counts before a directory, which may be a list; without either, the default is left to the lanes."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "gone"))
    context = load_environment_trust(httpx.URL(HOST))
    assert isinstance(context, ssl.SSLContext)
    assert context.cert_store_stats()["x509"] == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / "0123abcd.0").write_bytes(authority.cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join([str(tmp_path / "hashed"), str(tmp_path / "gone")]))
    assert isinstance(load_environment_trust(httpx.URL(HOST)), ssl.SSLContext)
    monkeypatch.delenv("SSL_CERT_DIR")
    assert load_environment_trust(httpx.URL(HOST)) is None


def test_white_space_around_a_url_or_a_region_is_cut() -> None:
    """A file that ends in CRLF, or begins with a byte order mark, names the same address."""
    assert check_base_url(None, hide("\ufeff https://host\r\n")) == "https://host"
    assert check_base_url("\ufeffsingapore\r\n", None).host == Region.SINGAPORE.host


def test_white_space_around_a_proxy_is_cut() -> None:
    """A proxy is taken without the line feed behind it."""
    proxy = choose_proxy(httpx.URL("https://host"), hide("\ufeffhttp://proxy:3128\r\n"))
    assert proxy is not None
    assert proxy.url == "http://proxy:3128"


@pytest.mark.parametrize(
    "proxy",
    ["http://user:hunter2@proxy:65536", "socks5://user:hunter2@proxy:0", "http://user:hunter2@proxy..example"],
)
def test_a_proxy_at_an_address_that_cannot_exist_is_refused_unseen(proxy: str) -> None:
    """The system would refuse it later, with an error of its own for every request."""
    with pytest.raises(ConfigurationError, match="^proxy: pass a URL") as caught:
        choose_proxy(httpx.URL("https://host"), hide(proxy))
    assert "hunter2" not in str(caught.value)
