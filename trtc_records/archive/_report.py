"""The results of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs

__all__ = ["Action", "ArchiveReport", "ArchivedPartition"]

Action = Literal["written", "merged", "skipped", "expired"]


@attrs.frozen(kw_only=True)
class ArchivedPartition:
    """A day, or an hour, of an archive after a run."""

    name: str
    """The day, such as ``2026-11-24``, or the hour, such as ``2026-11-24T08``."""
    path: Path | str
    """Its file; a URL if the archive is at one."""
    action: Action
    """The run's work: written anew, merged with the records that the file held, skipped as final, or expired at the
    service before it was final."""
    records: int
    """Records in the file."""
    rejects: int
    """Records that could not be read; they are in ``_rejects`` as the service sent them, with pseudonyms the reasons
    alone."""
    complete: bool
    """Whether every record that the service had until then is in the file."""
    final: bool
    """Whether it was read complete so late that no later run reads it again."""
    begins: bool = False
    """Whether the archive begins within it, as the service had dropped the records before."""
    reason: str | None = None
    """The reason why it is not complete."""


@attrs.frozen(kw_only=True)
class ArchiveReport:
    """The result of a run."""

    directory: Path | str
    """The archive; a URL if it is at one."""
    partitions: tuple[ArchivedPartition, ...]
    """The days or hours of the window, in order."""

    @property
    def records(self) -> int:
        """Return the number of records in the files that the run wrote."""
        return sum(each.records for each in self.partitions if each.action in {"written", "merged"})

    @property
    def rejects(self) -> int:
        """Return the number of records in these days that could not be read; one without a time is in each of them."""
        return sum(each.rejects for each in self.partitions if each.action in {"written", "merged"})

    @property
    def complete(self) -> bool:
        """Return whether every day is complete, but for the one in which the archive begins."""
        return all(each.complete or each.begins for each in self.partitions)
