from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts import vault
from payouts.actions import KeysError, rotation
from payouts.actions.rotation import RotationError
from payouts.batches.errors import BatchAlteredError
from payouts.batches.seals import renew
from payouts.configuration.renewal import renew_configuration
from payouts.models import Batch, KeyRotation

NAMED = 20


class Command(BaseCommand):
    help = (
        "Encrypt and seal everything anew under the first of FIELD_ENCRYPTION_KEYS and EVENT_HMAC_KEYS, while the "
        "product runs. Broken off, it goes on where it was. docs/keys.md tells what to do before and after."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--leave-unfit",
            action="store_true",
            help="retire the old keys although some payouts or batches do not fit them: they stay as they are",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = rotation.begin()
            self._renew_payouts(run)
            run.last_payout_id = 0  # once more, for what a process that had the old keys wrote behind the run
            self._renew_payouts(run)
            waiting = self._renew_batches(run)
            self._renew_keys(run)
            run.last_key_id = 0  # and for the keys that such a process made
            self._renew_keys(run)
            unfit = renew_configuration()
            for words in unfit:
                self.stderr.write(f"{words}: does not fit any key")
            is_whole = not (run.unfit_payouts or run.unfit_batches or run.unfit_keys or unfit)
            retires = not waiting and (options["leave_unfit"] or is_whole)
            rotation.finish(run, retires=retires)
        except (KeysError, RotationError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Renewed {run.payouts_renewed} payouts and {run.batches_renewed} batches.")
        self.stdout.write(f"Renewed {run.keys_renewed} keys of recipients.")
        if waiting:
            raise CommandError(f"Tasks work on the batches {_named(waiting)}: run this again when they are done.")
        if not retires:
            raise CommandError(
                f"Left as they are, because they do not fit any key: payouts {_named(run.unfit_payouts)}; "
                f"batches {_named(run.unfit_batches)}; keys of recipients {_named(run.unfit_keys)}; "
                f"configuration {'; '.join(unfit) or 'none'}. "
                "Look into them (manage.py audit), then run this again; with "
                "--leave-unfit the old keys are retired without them."
            )
        left = not is_whole
        self.stdout.write(
            f"Everything{' else' if left else ''} is under the first keys, and no process may write with the others "
            "any more. Take those out of FIELD_ENCRYPTION_KEYS, and move those of EVENT_HMAC_KEYS to "
            "EVENT_HMAC_KEYS_RETIRED."
        )
        if half := rotation.half_resolved():
            self.stdout.write(
                f"One person has said how the payouts {_named(half)} ended, under an old key. Have it decided before "
                "you move that key, or two other people must say it."
            )

    def _renew_payouts(self, run: KeyRotation) -> None:
        while done := rotation.renew_payouts(run):
            for broken in done.unfit:
                self.stderr.write(f"payout {broken.payout_id}: {broken.invariant}: {broken.detail}")

    def _renew_keys(self, run: KeyRotation) -> None:
        while (unfit := rotation.renew_keys(run)) is not None:
            for key_id in unfit:
                self.stderr.write(f"key {key_id} of a recipient: does not fit any key")

    def _renew_batches(self, run: KeyRotation) -> list[int]:
        """Returns those that tasks are at work on."""
        waiting: list[int] = []
        for batch_id in Batch.objects.filter(pk__gt=run.last_batch_id).order_by("pk").values_list("pk", flat=True):
            try:
                is_renewed = renew(batch_id)
            except (BatchAlteredError, vault.UnreadableError) as error:
                self.stderr.write(f"batch {batch_id}: {error}")
                run.unfit_batches = sorted({*run.unfit_batches, batch_id})
            else:
                if is_renewed is None:
                    waiting.append(batch_id)
                run.batches_renewed += bool(is_renewed)
            if not waiting:  # a run that is broken off goes on behind it
                run.last_batch_id = batch_id
            run.save(update_fields=["last_batch_id", "batches_renewed", "unfit_batches"])
        return waiting


def _named(ids: list[int]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return (", ".join(map(str, ids[:NAMED])) or "none") + more
