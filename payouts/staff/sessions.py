"""Sessions of which the database holds no key, so that reading or copying its rows opens none.

The cookie has the key; the row has its fingerprint under INDEX_KEY, and its content is signed for this row alone.
"""

from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.utils import timezone

from payouts import vault

KEY_LIMIT = 40  # characters, of the column


class SessionStore(db.SessionStore):
    @property
    def key_salt(self) -> str:
        return f"{super().key_salt}:{stored(self.session_key or '')}"

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        found: AbstractBaseSession | None = self.model.objects.filter(
            session_key=stored(self.session_key or ""), expire_date__gt=timezone.now()
        ).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return super().exists(stored(session_key))

    def create_model_instance(self, data: dict[str, object]) -> AbstractBaseSession:
        made: AbstractBaseSession = super().create_model_instance(data)
        made.session_key = stored(made.session_key)
        return made

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(stored(key))


def stored(session_key: str) -> str:
    """What the row has in the key's place."""
    return vault.fingerprint("session", session_key).hex()[:KEY_LIMIT]
