"""A mask on the UserSig in the logs of the libraries that carry a request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from trtc_records._secret import Secret

__all__ = ["mask_logs"]

_LOGGERS: Final = (
    *("anyio", "asyncio", "h11", "hpack.hpack", "hpack.table", "httpx"),
    *(f"httpcore.{name}" for name in ("connection", "http11", "http2", "proxy", "socks")),
)
"""The loggers that may see a response before the mask is put on."""


class _LogMask(logging.Filter):
    """A filter that puts the mask on the UserSig of the request that a record is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the message of *record*; every record passes."""
        secret = _in_use.get()
        if secret is not None:
            record.msg, record.args = secret.mask_text(record.getMessage()), ()
        return True


_in_use: ContextVar[Secret | None] = ContextVar("_in_use", default=None)
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_LogMask())


@contextmanager
def mask_logs(user_sig: Secret) -> Iterator[None]:
    """Mask *user_sig* in whatever other libraries log within."""
    token = _in_use.set(user_sig)
    try:
        yield
    finally:
        _in_use.reset(token)
