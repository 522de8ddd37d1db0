"""The dialect of the service that keeps today's calls.

Tencent's pages: https://trtc.io/document/68931 (by conditions) and https://trtc.io/document/68930 (by call id).
"""

from __future__ import annotations

from typing import Final

from trtc_records._api.dialect import Dialect
from trtc_records._api.error_codes import CALL_CODES
from trtc_records._api.models import HOSTS, Service
from trtc_records._api.wire import RECORD_FORM

__all__ = ["CURRENT"]

CURRENT: Final = Dialect(
    service=Service.CURRENT,
    hosts=HOSTS,
    errors=CALL_CODES,
    records=RECORD_FORM,
    filter_path="/v4/call_record_http_srv/get_record_by_filter",
    lookup_path="/v4/call_record_http_srv/get_record_by_callid",
    start_time="StartTime",
    end_time="EndTime",
    call_result="CallResult",
    call_type="CallType",
    page_size="NumberPerPage",
    query_page="Page",
    call_id="CallId",
    code="ErrorCode",
    info="ErrorInfo",
    request_id="RequestId",
    result="Response",
    page="Page",
    total_num="TotalNum",
    record_list="CallRecordList",
    record="CallRecord",
    has_webhooks=True,
)
