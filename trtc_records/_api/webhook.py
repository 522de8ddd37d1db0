"""The webhook of an app: the URL to which Tencent posts callbacks, and their commands.

Tencent's pages: https://trtc.io/document/68938 (set), https://trtc.io/document/68937 (get) and
https://trtc.io/document/68939 (delete).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import attrs

from trtc_records._checks import check_text
from trtc_records._errors import ConfigurationError, shorten
from trtc_records._public import public

__all__ = ["Webhook", "WebhookEvent", "check_replacement", "check_webhook", "read_event"]


@public
class WebhookEvent(StrEnum):
    """An event of which Tencent sends a callback; the value is Tencent's name of the command."""

    CALL_STARTED = "Call.CallbackAfterStartCall"
    CALL_ENDED = "Call.CallbackAfterEndCall"
    MEMBERS_CHANGED = "Call.CallbackAfterMemberChanged"


@public
@attrs.frozen(kw_only=True)
class Webhook:
    """The webhook of an app."""

    url: str
    """The URL to which Tencent posts callbacks."""
    events: tuple[WebhookEvent | str, ...] = ()
    """The events of which it posts one; a name that this version does not know stays a text."""


def read_event(name: str) -> WebhookEvent | str:
    """Return the event with Tencent's *name*, or the name itself if this version does not know it."""
    return WebhookEvent(name) if name in set(WebhookEvent) else name


def check_webhook(url: object, events: Iterable[WebhookEvent | str]) -> Webhook:
    """Return the webhook to set.

    Both schemes are allowed: Tencent documents no limit, and a receiver under test has no certificate.

    Raises:
        ConfigurationError: The URL or an event cannot be used.
    """
    text = check_text("url", url, "pass the URL to which Tencent posts callbacks, such as 'https://host/path'")
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or any(character.isspace() for character in text):
        # The value is not shown: its path may be a secret.
        raise ConfigurationError("url: not a URL of the form 'https://host/path'")
    return Webhook(url=text, events=_check_events(events))


def _check_events(events: Any) -> tuple[WebhookEvent | str, ...]:
    remedy = f"pass a list of WebhookEvent: {', '.join(WebhookEvent)}"
    if isinstance(events, str) or not isinstance(events, Iterable):
        raise ConfigurationError(f"events={shorten(events)}: {remedy}")
    names = dict.fromkeys(read_event(check_text("events", event, remedy)) for event in events)
    if not names:
        raise ConfigurationError(f"events: none given; {remedy}, or call delete_webhook()")
    return tuple(names)


def check_replacement(current: Webhook | None, wanted: Webhook) -> None:
    """Check that setting *wanted* takes no callbacks away from another receiver.

    Raises:
        ConfigurationError: The app has a webhook with another URL.
    """
    if current is not None and current.url != wanted.url:
        raise ConfigurationError(
            "url: the app has a webhook with another URL, which get_webhook() returns, and there is one URL per app; "
            "pass replace=True to replace it"
        )
