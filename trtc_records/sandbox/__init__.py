"""The call-record service on a local port: for a demo, for this library's tests, and for its users' own.

::

    with Sandbox(records=2000) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            ...

It is as strict as the service and keeps its quota; what the vendor's page leaves open is an option.
"""

try:
    from trtc_records.sandbox._fixture import SandboxFixture
    from trtc_records.sandbox._server import Sandbox, serve
except ModuleNotFoundError as _error:
    _missing = (_error.name or "").partition(".")[0]
    if _missing not in {"starlette", "uvicorn"}:
        raise
    raise ImportError(
        f"the sandbox needs {_missing}, which is not installed: pip install 'trtc-records[sandbox]'"
    ) from _error
from trtc_records.sandbox._app import Stats
from trtc_records.sandbox._data import make_records
from trtc_records.sandbox._options import Behaviour, Drift, Faults

__all__ = ["Behaviour", "Drift", "Faults", "Sandbox", "SandboxFixture", "Stats", "make_records", "serve"]
