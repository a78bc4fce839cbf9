"""A file comes in: kept encrypted, once, and handed to the worker."""

from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import vault
from payouts.batches import columns
from payouts.batches.check import CHECK
from payouts.batches.errors import BatchError
from payouts.batches.seals import seal_facts
from payouts.files import formats, tables
from payouts.files.rows import SheetError
from payouts.models import Batch
from payouts.plain_text import without_cards

# A file comes once, unless the batch that it was came to nothing.
STANDING: dict[str, Any] = {"refusal__isnull": True, "discarded_at": None, "rejected_at": None}


def store(content: bytes, *, name: str, by: User) -> Batch:
    """Keep the file, encrypted, and have it checked by the worker.

    Raises BatchError for a file that is no table, and for one that is a batch already.
    """
    try:
        kind, encoding = formats.look(content)
    except SheetError as error:
        raise BatchError(" ".join(columns.sentence(*fault) for fault in error.faults)) from error
    digest = vault.fingerprint("batch-file", sha256(content).hexdigest())
    batch = Batch(
        # People put card numbers into names of files too.
        name=without_cards(tables.printable(name))[-tables.NAME_LIMIT :] or "batch",
        content_hash=digest,
        content=vault.encrypt_file(content),
        format=kind,
        encoding=encoding,
        uploaded_by=by,
        seen_at=Now(),
        facts_seal=b"",
    )
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            seal_facts(batch)
            CHECK.ring(batch.pk)
    except IntegrityError as error:
        if "batch_file_once" not in str(error):
            raise
        raise _known(digest) from None  # the error's detail has the file
    return batch


def _known(digest: bytes) -> BatchError:
    earlier = (
        Batch.objects.defer("content").select_related("uploaded_by").filter(content_hash=digest, **STANDING).first()
    )
    if earlier is None:  # it was refused, discarded or rejected a moment ago
        return BatchError(_("The batch of this file has just been closed. Try again."))
    text = _("This file is a batch already: “%(name)s”, uploaded by %(who)s.")
    return BatchError(text % {"name": earlier.name, "who": earlier.uploaded_by.get_username()}, earlier)
