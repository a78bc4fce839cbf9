"""Files that people upload: taken in memory, where one is expected (limits.py), from somebody who may upload it."""

from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParser

from payouts.files import limits


class UnexpectedFileError(SuspiciousOperation):
    """The page takes no file, or none under this name."""


class BoundedUpload(FileUploadHandler):
    """Reads a form with files into memory once its length and its number of parts are found to be small enough.

    Whoever may upload nothing here is refused by the length, before anything is read: the form of the login is
    nobody's way in. Of a file that is too large it keeps so much that its reader still finds it too large. Raises
    SuspiciousOperation, which Django answers with 400.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803
        content_length: int,
        boundary: Any,  # bytes
        encoding: str | None = None,
    ) -> Any:
        page = self._page()
        if content_length > (limits.FILE_BYTES if page else 0) + limits.FORM_BYTES:
            raise RequestDataTooBig("The form is longer than this page takes.")
        body = input_data.read(content_length)
        fields = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS or 0
        if body.count(b"--" + boundary) > fields + 2:
            raise TooManyFilesSent("The form has too many parts.")
        return MultiPartParser(META, BytesIO(body), [_InMemory(page)], encoding).parse()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        raise NotImplementedError("The parts are parsed by handle_raw_input.")

    def file_complete(self, file_size: int) -> None:
        return None

    def _page(self) -> limits.UploadPage | None:
        request = self.request
        page = limits.UPLOAD_PAGES.get(request.path_info) if request else None
        user = getattr(request, "user", None)
        return page if page and user and user.has_perm(page.permission) else None


class _InMemory(FileUploadHandler):
    def __init__(self, page: limits.UploadPage | None) -> None:
        super().__init__()
        self._page = page
        self._content = BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._page is None or self.field_name != self._page.field:
            raise UnexpectedFileError("A file is not expected here.")
        self._content = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._content.write(raw_data[: max(0, limits.FILE_BYTES + 1 - start)])

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        self._content.seek(0)
        return InMemoryUploadedFile(
            self._content,
            self.field_name,
            self.file_name or "",
            self.content_type or "",
            min(file_size, limits.FILE_BYTES + 1),
            self.charset,
            self.content_type_extra,
        )
