"""Which pages take files, and how much any page may be sent.

The one table that the web server, the upload handler, the forms and the readers ask. Plain data, so that it can be
asked before Django is there.
"""

from typing import NamedTuple

FILE_BYTES = 20 * 1024**2
# A form's fields, and what multipart puts around them: all that a page without a file is ever sent.
FORM_BYTES = 256 * 1024


class UploadPage(NamedTuple):
    """A page that takes one file, and the permission without which nobody's file is taken."""

    field: str
    permission: str


UPLOAD_PAGES = {
    "/admin/payouts/batch/add/": UploadPage("file", "payouts.add_batch"),
    "/admin/payouts/providerreport/add/": UploadPage("file", "payouts.add_providerreport"),
}


def body_bytes(path: str) -> int:
    """The most bytes that a request to this page of the back office may have in its body."""
    return FILE_BYTES + FORM_BYTES if path in UPLOAD_PAGES else FORM_BYTES
