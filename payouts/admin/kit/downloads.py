"""Files that a person takes away."""

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def attachment(name: str) -> dict[str, str]:
    """The header by which a browser keeps the answer as a file of this name. The name has no quotes."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
