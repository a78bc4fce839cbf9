"""Shows that a backup is ours before anything of it is read: a file beside it, sealed under EVENT_HMAC_KEYS.

That it can be opened shows nothing. Whoever may write to the place can encrypt for the same public keys, and
pg_restore runs what it is given. The seal covers the backup's name and the SHA-256 of each of its pieces, so a piece
is let through when it fits and not before, and a backup that is exchanged while it is read is found as well.
"""

from hashlib import sha256
from io import BytesIO

import msgspec

from payouts import vault
from payouts.backups.envelope import DamagedError
from payouts.places import Place, PlaceError, Sink, Source

FORMAT = 1
SUFFIX = ".proof"
PIECE_BYTES = 4 * 1024 * 1024
# Of a proof, before its seal is looked at. One of the largest object that a bucket takes has 3 MB.
MOST_BYTES = 16 * 1024 * 1024


class OriginError(RuntimeError):
    """The backup is not shown to be ours, and nothing of it was read; the text says why."""


class NoProofError(OriginError):
    """It has no proof."""


class OtherKeyError(OriginError):
    """Its proof names a key that is not here, so nobody knows."""


class Proof(msgspec.Struct, frozen=True):
    """What is written beside a backup."""

    name: str
    size: int
    sha256: str
    """Of the whole file as it lies there, in hexadecimal; sha256sum prints the same."""
    piece_bytes: int
    pieces: tuple[str, ...]
    """The SHA-256 of each piece of that many bytes; the last may be shorter."""

    def sealed(self, *, like: vault.Stored = b"") -> bytes:
        """The seal; with `like`, to be compared with that one."""
        parts = (FORMAT, self.name, self.size, self.sha256, self.piece_bytes, self.pieces)
        return vault.seal("backup", *parts, like=like)

    def as_bytes(self) -> bytes:
        return msgspec.json.encode(_File(**msgspec.structs.asdict(self), format=FORMAT, seal=self.sealed().hex()))


class _File(Proof, frozen=True, kw_only=True):
    format: int
    seal: str


def proof_name(backup: str) -> str:
    """Of the file that holds the backup's proof."""
    return backup + SUFFIX


def proof_of(place: Place, backup: str) -> Proof:
    """The proof of the backup of that name, whose seal fits. Raises OriginError and PlaceError."""
    names = place.names()
    if backup not in names:
        raise PlaceError(f"There is no {backup}.")
    if proof_name(backup) not in names:
        raise NoProofError(f"{backup} has no proof beside it ({proof_name(backup)}): nothing shows that it is ours.")
    with place.reading(proof_name(backup)) as source:
        content = _up_to(MOST_BYTES + 1, source)
    try:
        if len(content) > MOST_BYTES:
            raise ValueError("It is too large for a proof.")
        proof = msgspec.json.decode(content, type=_File)
        seal = bytes.fromhex(proof.seal)
    except (ValueError, RecursionError):
        raise OriginError(f"The proof of {backup} cannot be read: nothing shows that it is ours.") from None
    if proof.format != FORMAT:
        raise OriginError(f"The proof of {backup} is of another version of this program.")
    if not vault.is_by_known_key(seal):
        raise OtherKeyError(f"The proof of {backup} is by a key that is not of EVENT_HMAC_KEYS: add that of its day.")
    if not seal or proof.sealed(like=seal) != seal or proof.name != backup:
        raise OriginError(f"The proof of {backup} is not by us, or of another backup.")
    return proof


class Proving:
    """Writes to the sink, and takes down what a proof of it says."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._bytes = 0
        self._whole, self._piece, self._pieces = sha256(), sha256(), list[str]()

    def write(self, content: bytes, /) -> int:
        self._sink.write(content)
        self._whole.update(content)
        left = memoryview(content)
        while left:
            fits = left[: PIECE_BYTES - self._bytes % PIECE_BYTES]
            self._piece.update(fits)
            self._bytes += len(fits)
            if self._bytes % PIECE_BYTES == 0:
                self._end_piece()
            left = left[len(fits) :]
        return len(content)

    def flush(self) -> None:
        self._sink.flush()

    def proof(self, name: str) -> Proof:
        """Of what was written, which is whole now."""
        if self._bytes % PIECE_BYTES:
            self._end_piece()
        return Proof(name, self._bytes, self._whole.hexdigest(), PIECE_BYTES, tuple(self._pieces))

    def _end_piece(self) -> None:
        self._pieces.append(self._piece.hexdigest())
        self._piece = sha256()


class Proven:
    """Reads from the source what the proof is of, a piece at a time. Raises DamagedError for anything else."""

    def __init__(self, source: Source, proof: Proof) -> None:
        self._source = source
        self._proof = proof
        self._number = 0
        self._piece = BytesIO()
        self._is_over = False

    def read(self, size: int = -1, /) -> bytes:
        content = self._piece.read(size)
        while not self._is_over and (size < 0 or not content):
            self._piece = BytesIO(self._next())
            content += self._piece.read(size)
        return content

    def _next(self) -> bytes:
        """The next piece; nothing where the proof is of no more, and there is no more."""
        content = _up_to(self._proof.piece_bytes, self._source)
        known = self._proof.pieces[self._number : self._number + 1]
        found = (sha256(content).hexdigest(),) if content else ()
        if found != known:
            raise DamagedError(f"piece {self._number + 1} of {len(self._proof.pieces)} does not fit its proof")
        self._number += 1
        self._is_over = not content
        return content


def _up_to(size: int, source: Source) -> bytes:
    """So many bytes, or fewer at the end."""
    content = bytearray()
    while len(content) < size and (more := source.read(size - len(content))):
        content += more
    return bytes(content)
