"""Tencent's API without I/O: records, requests, responses, error codes, UserSig."""
