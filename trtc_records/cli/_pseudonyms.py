"""The pseudonyms of a command, and the silence about the values that they replace."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trtc_records import ResponseDecodeError
from trtc_records.cli._output import note
from trtc_records.export import Pseudonyms
from trtc_records.export._rejects import conceal

__all__ = ["note_pseudonyms", "open_pseudonyms"]

_logger: Final = logging.getLogger("trtc_records")


@contextmanager
def open_pseudonyms(*, wanted: bool) -> Iterator[Pseudonyms | None]:
    """Yield the pseudonyms of the environment's key; until the end, no error and no log shows a value of a record.

    Args:
        wanted: Whether there are pseudonyms; otherwise it yields ``None``.

    Raises:
        ConfigurationError: The key is not set, or cannot be used.
        ResponseDecodeError: The one that ended the block, without the value.
    """
    if not wanted:
        yield None
        return
    pseudonyms = Pseudonyms.from_env()
    _logger.addFilter(_conceal_values)
    try:
        yield pseudonyms
    except ResponseDecodeError as error:
        raise conceal(error) from None
    finally:
        _logger.removeFilter(_conceal_values)


def _conceal_values(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(conceal(each) if isinstance(each, ResponseDecodeError) else each for each in record.args)
    return True


def note_pseudonyms(pseudonyms: Pseudonyms | None) -> None:
    """Print the key's fingerprint, and how many fields were left out."""
    if pseudonyms is None:
        return
    note(f"  ids       pseudonyms of the key {pseudonyms.fingerprint}")
    if pseudonyms.left_out:
        note(f"  left out  fields that this version does not know: {pseudonyms.left_out:,}")
