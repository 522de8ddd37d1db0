"""The call-record service on a local port: for a demo, for this library's tests, and for its users' own.

::

    with Sandbox(records=2000) as sandbox:
        async with CallRecordsClient(**sandbox.credentials) as client:
            ...

It is as strict as the service and keeps its quota. Options cover the answers that Tencent's page leaves open.
"""

from trtc_records.sandbox._data import make_records
from trtc_records.sandbox._fixture import SandboxFixture
from trtc_records.sandbox._gateway import Stats
from trtc_records.sandbox._options import Behaviour, Drift, Faults, Webhooks
from trtc_records.sandbox._server import Sandbox, serve

__all__ = ["Behaviour", "Drift", "Faults", "Sandbox", "SandboxFixture", "Stats", "Webhooks", "make_records", "serve"]
