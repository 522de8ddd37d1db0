"""The endpoint: the URL that requests go to, and the proxy on the way there."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from trtc_records._api.models import HOSTS, Region, list_hosts
from trtc_records._checks import clean_text, is_loopback, trim
from trtc_records._errors import ConfigurationError, shorten
from trtc_records._secret import Secret, hide

__all__ = ["check_base_url", "choose_proxy", "find_environment_proxy", "load_environment_trust"]

_HTTPS_PORT: Final = 443
_LAST_PORT: Final = 65_535


def check_base_url(region: Region | str | None, base_url: object, hosts: Mapping[Region, str] = HOSTS) -> httpx.URL:
    """Return the URL to send to: that of a region's host, or the caller's.

    Args:
        region: The region.
        base_url: The caller's URL, hidden, because a faulty one may hold a password.
        hosts: The service's host in each region.

    Raises:
        ConfigurationError: Neither or both are given, or the one given cannot be used.
    """
    if (region is None) == (base_url is None):
        given = "neither" if region is None else "both"
        raise ConfigurationError(
            f"region and base_url: {given} given; pass one of them, region= (one of {list_hosts(hosts)}) or base_url="
        )
    if base_url is None:
        return httpx.URL(f"https://{hosts[_check_region(region, hosts)]}")
    url = _read_base_url(base_url)
    if url is None:
        raise ConfigurationError(
            "base_url: not a URL of the form 'https://host', with a port and a path if need be, and no more"
        )
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        origin = f"{url.scheme}://{url.netloc.decode()}"
        raise ConfigurationError(
            f"base_url={origin!r}: pass an https:// URL, as the credential travels in it "
            "(http:// is for this machine's own addresses only)"
        )
    return url


def _read_base_url(base_url: object) -> httpx.URL | None:
    """Return the URL behind a secret, or ``None`` if it is more or less than an address; see :func:`_read_proxy`."""
    text = clean_text(base_url.reveal()) if isinstance(base_url, Secret) else None
    try:
        url = httpx.URL(text or "")
    except (httpx.InvalidURL, ValueError):
        return None
    return url if _names_a_host(url) and not (url.userinfo or url.query or url.fragment) else None


def _check_region(region: object, hosts: Mapping[Region, str]) -> Region:
    if isinstance(region, str):
        name = str(trim(region)).lower().replace("_", "-").replace(" ", "-")
        if name in set(Region):
            return Region(name)
    raise ConfigurationError(f"region={shorten(region)}: pass one of {list_hosts(hosts)}")


def choose_proxy(url: httpx.URL, proxy: object) -> httpx.Proxy | None:
    """Return the proxy for requests to *url*.

    Args:
        url: The URL that requests go to.
        proxy: The caller's proxy, hidden, because its URL may hold a password; ``None`` for the one that
            ``HTTPS_PROXY`` or ``ALL_PROXY`` names.

    Raises:
        ConfigurationError: The proxy cannot be used. The message does not show it.
    """
    if proxy is None:
        proxy = find_environment_proxy(url)
        if proxy is None:
            return None
    elif url.scheme != "https":
        raise ConfigurationError(
            "proxy: it would see the credential of http:// requests; leave it out, or pass an https:// URL"
        )
    checked = _read_proxy(proxy)
    if checked is None:
        raise ConfigurationError(
            "proxy: pass a URL such as 'http://host:3128' or 'socks5://host:1080' (HTTPS_PROXY and ALL_PROXY count too)"
        )
    if checked.url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        del checked  # it holds the password
        raise ConfigurationError("proxy: a SOCKS proxy needs socksio: pip install 'httpx[socks]'")
    return checked


def _read_proxy(proxy: object) -> httpx.Proxy | None:
    """Return the proxy behind a secret, or ``None`` if it is none; raising here would show the URL in this frame."""
    value: object = trim(proxy.reveal()) if isinstance(proxy, Secret) else None
    if not isinstance(value, str | httpx.URL | httpx.Proxy):
        return None
    try:
        checked = value if isinstance(value, httpx.Proxy) else httpx.Proxy(value)
    except (ValueError, httpx.InvalidURL):
        return None
    return checked if _names_a_host(checked.url) else None


def _names_a_host(url: httpx.URL) -> bool:
    """Return whether *url* has a host whose name can exist and, if it has a port, one that exists."""
    try:
        url.raw_host.decode("ascii").encode("idna")  # which fails in a request, for an empty or too long label
        return bool(url.host) and (url.port is None or 0 < url.port <= _LAST_PORT)
    except UnicodeError:
        return False


def find_environment_proxy(url: httpx.URL) -> object:
    """Return the environment's proxy, hidden; plain HTTP takes none, because it is for loopback only."""
    if url.scheme != "https" or urllib.request.proxy_bypass(url.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or any(_excludes(entry, url) for entry in re.split(r"[,\s]+", proxies.get("no", ""))):
        return None
    return hide(proxy if "://" in proxy else f"http://{proxy}")


def _excludes(entry: str, url: httpx.URL) -> bool:
    """Return whether an entry of ``NO_PROXY`` names the host of *url*.

    It may be a domain (with its subdomains; with ``.`` or ``*.`` in front, these only), an address, a network, or
    ``*``, each with a scheme or a port. httpx honours most of these, but no networks, and fails at IPv6 in brackets.
    """
    scheme, separator, rest = entry.lower().rpartition("://")
    match = re.fullmatch(r"\[(.*)\](?::(\d+))?|([^:]*)(?::(\d+))?|(.*)", rest)
    assert match is not None  # the last alternative matches everything
    port = match[2] or match[4]
    if (separator and scheme not in {url.scheme, "all"}) or (port and int(port) != (url.port or _HTTPS_PORT)):
        return False
    name = (match[1] or match[3] or match[5] or "").rstrip(".")
    host = url.host.rstrip(".")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        domain = name.lstrip("*").lstrip(".")
        is_whole = host == domain and not name.startswith((".", "*."))
        return name == "*" or is_whole or bool(domain and host.endswith(f".{domain}"))


def load_environment_trust(url: httpx.URL) -> ssl.SSLContext | None:
    """Return the TLS context that ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` calls for, or ``None``.

    Raises:
        ConfigurationError: The one that counts names no certificates that can be read. The message names both.
    """
    variable = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), None)
    if variable is None or url.scheme != "https":
        return None
    path = os.environ[variable]
    try:
        if variable == "SSL_CERT_FILE":
            found = _holds_certificates(path)
        else:
            found = any(map(_holds_hashed_certificate, path.split(os.pathsep)))
        reason = "holds no certificates"
    except ssl.SSLError:
        found, reason = False, "holds no certificates"
    except OSError as error:
        found, reason = False, error.strerror or str(error)
    if found:
        return httpx.create_ssl_context()
    hint = "a file of PEM certificates" if variable == "SSL_CERT_FILE" else "a directory on which 'openssl rehash' ran"
    raise ConfigurationError(f"{variable}={shorten(path)}: {reason}; name {hint}, or unset it")


def _holds_certificates(path: str | Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return context.cert_store_stats()["x509"] > 0


def _holds_hashed_certificate(directory: str) -> bool:
    """Return whether OpenSSL, which looks for names made of hashes, finds a certificate in *directory*."""
    paths = [path for path in Path(directory).iterdir() if re.fullmatch(r"[0-9a-f]{8}\.\d+", path.name)]
    return any(map(_holds_certificates, paths))
