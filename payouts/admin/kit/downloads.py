"""Files to download: their content types and the header that names them."""

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def attachment(name: str) -> dict[str, str]:
    """The header that makes a browser save the answer under this name. The name must have no quotes."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
