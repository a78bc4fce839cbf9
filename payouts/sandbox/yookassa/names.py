"""The body of POST /v3/personal_data, and the object that it makes: a name to check a payout by SBP against."""

import hashlib
import json
import re
import uuid
from typing import Any, Final

from payouts import strict_json
from payouts.sandbox.ledger import KeptName
from payouts.sandbox.yookassa.objects import InvalidRequestError, time_of
from payouts.sandbox.yookassa.orders import read_metadata, read_object, read_text
from payouts.strict_json import JsonError

TYPE: Final = "sbp_payout_recipient"
# The surname of those whose account turns out to be somebody else's: the sandbox's own.
NOT_THE_OWNER: Final = "Чужой"
_NAMES: Final = {"last_name": 200, "first_name": 100, "middle_name": 200}
_LETTERS: Final = "[A-Za-zА-Яа-яЁё ‐–—-]"


def read_name(body: bytes) -> tuple[str, bool]:
    """A fingerprint of the request, and whether the check will pass. Raises `InvalidRequestError`."""
    try:
        order = strict_json.loads(body)
    except JsonError:
        raise InvalidRequestError("The body is not a JSON object") from None
    if order.get("type") != TYPE:
        raise InvalidRequestError("The gateway is not connected to this type", "type")
    given = {name for name in ("middle_name", "metadata") if name in order}
    fields = read_object(order, "", {"type", "last_name", "first_name", *given})
    for name, limit in _NAMES.items():
        if name in fields:
            read_text(fields, name, re.compile(f"{_LETTERS}{{1,{limit}}}"))
    read_metadata(order.get("metadata", {}))
    fingerprint = hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()
    return fingerprint, fields["last_name"] != NOT_THE_OWNER


def new_id() -> str:
    return f"pd-{uuid.uuid4()}"


def personal_data(kept: KeptName) -> dict[str, Any]:
    return {
        "id": kept.id,
        "type": TYPE,
        "status": "active" if kept.is_used else "waiting_for_operation",
        "created_at": time_of(kept.at),
    }
