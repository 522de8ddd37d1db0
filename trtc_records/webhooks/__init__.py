"""Tencent's callbacks, received and verified.

::

    async def handle(event):
        print(event.record.call_id, event.record.call_result)

    async with CallRecordsClient.from_env() as client:
        webhook = WebhookApp(handle, client=client)  # an ASGI application
"""

from trtc_records.webhooks._app import WebhookApp
from trtc_records.webhooks._events import (
    CallEnded,
    CallMember,
    CallStarted,
    MemberChange,
    MembersChanged,
    UnknownWebhook,
    WebhookError,
    parse_webhook,
)

__all__ = [
    "CallEnded",
    "CallMember",
    "CallStarted",
    "MemberChange",
    "MembersChanged",
    "UnknownWebhook",
    "WebhookApp",
    "WebhookError",
    "parse_webhook",
]
