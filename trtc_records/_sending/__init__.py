"""Sending requests: sign, send, renew the credential, retry. ``requester`` is the only way in."""
