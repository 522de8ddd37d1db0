"""Write call records to files: one class per format, each of which takes any async iterable of records."""

from trtc_records.export._rows import make_row
from trtc_records.export.jsonl import JsonLinesWriter

__all__ = ["JsonLinesWriter", "make_row"]
