"""What is in a checkpoint, how it is signed, and how it is written down.

Its leaves are the last event of each payout that was touched since the one before: the payout, the event's number and
the beginning of the event's seal, through which the event holds all those before it. A Merkle tree (RFC 9162, section
2.1.1) over them, hashed with the root before, is the root; the signature is a seal over the root and everything else.
"""

import gzip
import json
import zlib
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from payouts import vault
from payouts.models import Checkpoint, namespace, stamp

FORMAT = 1
# Of an event's seal: its key's id, and 128 bits of the HMAC.
LEAF_BYTES = 20


class DocumentError(ValueError):
    """It is no checkpoint; the text says why."""


class Leaf(NamedTuple):
    """The last event of one payout."""

    payout_id: int
    seq: int
    mac: str
    """In hexadecimal, the first LEAF_BYTES."""


@dataclass(frozen=True, slots=True)
class Document:
    """One checkpoint, out of the database or out of a file."""

    namespace: str
    """Of the installation: another database's checkpoint says nothing of ours."""
    number: int
    made_at: str
    from_event: int
    to_event: int
    settled_event: int
    totals: dict[str, dict[str, list[Any]]]
    """By currency: what was submitted, paid and returned up to the settled event, each a count and an amount."""
    versions: dict[str, int]
    """Of each seal of what is configured; they only count up."""
    leaves: tuple[Leaf, ...]
    root: str
    previous_root: str
    signature: str

    @property
    def is_signed(self) -> bool:
        """Whether a key of ours, retired ones too, signed exactly this."""
        try:
            given = bytes.fromhex(self.signature)
        except ValueError:
            return False
        return bool(given) and self.root == self.expected_root() and signed(self, like=given) == given

    def expected_root(self) -> str:
        return sha256(bytes.fromhex(self.previous_root) + merkle_root(self.leaves)).hexdigest()

    @property
    def name(self) -> str:
        """Of the file that holds it."""
        return name_of(self.number, self.root)

    def as_bytes(self) -> bytes:
        """The same bytes for the same checkpoint."""
        content = {"format": FORMAT, **asdict(self)}
        return gzip.compress(json.dumps(content, separators=(",", ":"), sort_keys=True).encode(), mtime=0)


def name_of(number: int, root: str) -> str:
    return f"checkpoint-{number:08}-{root[:16]}.json.gz"


def merkle_root(leaves: tuple[Leaf, ...]) -> bytes:
    """The root of the tree over the leaves, in their order; that of nothing is the hash of nothing."""
    level = [sha256(b"\0" + f"{leaf.payout_id}:{leaf.seq}:{leaf.mac}".encode()).digest() for leaf in leaves]
    while len(level) > 1:
        paired = [sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0] if level else sha256().digest()


def signed(document: Document, *, like: vault.Stored = b"") -> bytes:
    """The signature; with `like`, to be compared with that one."""
    return vault.seal(
        "checkpoint",
        document.namespace,
        document.number,
        document.made_at,
        document.from_event,
        document.to_event,
        document.settled_event,
        vault.canonical(document.totals).decode(),
        vault.canonical(document.versions).decode(),
        len(document.leaves),
        document.root,
        document.previous_root,
        like=like,
        is_history=True,
    )


def packed(leaves: tuple[Leaf, ...]) -> bytes:
    return zlib.compress(json.dumps(leaves, separators=(",", ":")).encode(), 6)


def of_row(row: Checkpoint) -> Document:
    """What the database says it is; `is_signed` tells whether to believe it. Raises DocumentError."""
    try:
        leaves = tuple(Leaf(*leaf) for leaf in json.loads(zlib.decompress(row.leaves)))
    except (ValueError, TypeError, zlib.error) as error:
        raise DocumentError(f"Checkpoint {row.number} cannot be read.") from error
    return Document(
        namespace=str(namespace()),
        number=row.number,
        made_at=str(stamp(row.made_at)),
        from_event=row.from_event,
        to_event=row.to_event,
        settled_event=row.settled_event,
        totals=row.totals,
        versions=row.versions,
        leaves=leaves,
        root=row.root,
        previous_root=row.previous_root,
        signature=bytes(row.signature).hex(),
    )


def of_bytes(content: bytes) -> Document:
    """What a file says it is, compressed or not. Raises DocumentError."""
    try:
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        given = json.loads(text)
        if given.pop("format") != FORMAT:
            raise DocumentError("It is a checkpoint of another format.")
        leaves = tuple(Leaf(*leaf) for leaf in given.pop("leaves"))
        document = Document(leaves=leaves, **given)
        bytes.fromhex(document.previous_root)
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
        raise DocumentError(f"It is no checkpoint: {error}") from error
    return document
