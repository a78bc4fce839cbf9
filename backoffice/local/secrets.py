"""Values for the secret settings, where no person has given any."""

import base64
import secrets
from pathlib import Path

from backoffice.local.servers import write_private


def new_secrets() -> dict[str, str]:
    """Fresh values for every secret setting."""
    return {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),  # a Fernet key
        "EVENT_HMAC_KEYS": secrets.token_urlsafe(32),
        "INDEX_KEY": secrets.token_urlsafe(32),
        "PROVIDER_TOKEN": secrets.token_urlsafe(32),
        "PROVIDER_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def kept_secrets(folder: Path) -> dict[str, str]:
    """The secrets in `folder`, made once: what they encrypt and sign in the database must be read again tomorrow."""
    file = folder / "secrets.env"
    kept = dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.exists() else {}
    if old := kept.pop("EVENT_HMAC_KEY", ""):  # one key was for both, when there was no INDEX_KEY
        kept = {"EVENT_HMAC_KEYS": old, "INDEX_KEY": old} | kept
    values = new_secrets() | kept
    if not file.exists() or values != kept or old:
        fresh = folder / "secrets.env.new"
        write_private(fresh, "".join(f"{name}={value}\n" for name, value in values.items()))
        fresh.rename(file)
    return values
