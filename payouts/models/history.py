"""The history of what is configured: `history = History()` in a model, `HistoryMixin` on its admin page.

Each save and deletion of an object leaves a row that says what it then was, who did it and when. `QuerySet.update`
leaves none: use it for what changes no rules, such as a key's last use.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords


class History(HistoricalRecords):  # type: ignore[misc]
    """`without` names the fields that are not kept, such as a secret's hash."""

    def __init__(self, *, without: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(
            excluded_fields=list(without),
            history_id_field=models.BigAutoField(),
            verbose_name=_("history"),
            verbose_name_plural=_("history"),
            **options,
        )

    def copy_fields(self, model: type[models.Model]) -> dict[str, Any]:
        """The same fields; what they point at is kept as long as they are."""
        fields: dict[str, Any] = super().copy_fields(model)
        for field in fields.values():
            if isinstance(field, models.ForeignKey):
                field.remote_field.on_delete = models.PROTECT
        return fields

    def _get_history_user_fields(self) -> dict[str, Any]:
        user = models.ForeignKey(
            settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
        )
        return {"history_user": user}

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        # Read with the object itself; nobody adds, changes or deletes it.
        return {**super().get_meta_options(model), "default_permissions": ()}
