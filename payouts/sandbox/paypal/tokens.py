"""Access tokens and signatures: both say by themselves what they are good for, so that nothing is kept of them."""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any


def token(secret: str, *, life_seconds: float) -> str:
    ends_at = str(int(time.time() + life_seconds))
    nonce = secrets.token_hex(4)
    return f"A21AA{nonce}.{ends_at}.{_mac(secret, f'token {nonce} {ends_at}')}"


def is_live(secret: str, given: str) -> bool:
    """Whether it is a token of ours that has not ended."""
    nonce, _, rest = given.removeprefix("A21AA").partition(".")
    ends_at, _, mac = rest.partition(".")
    is_ours = hmac.compare_digest(mac.encode(), _mac(secret, f"token {nonce} {ends_at}").encode())
    return is_ours and int(ends_at) > time.time()


def signature(secret: str, *, message_id: str, at: str, webhook_id: str, event: Mapping[str, Any]) -> str:
    """PayPal's is RSA over the like; who receives a webhook asks its sender about it, and cannot tell."""
    content = json.dumps(event, sort_keys=True)
    return _mac(secret, f"webhook {message_id}|{at}|{webhook_id}|{content}")


def _mac(secret: str, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()
