"""Why a change of the configuration was refused."""


class ConfigurationError(Exception):
    """A refusal that leaves everything as it was; its text is a sentence for a person.

    `errors` has the sentences by field, where a form could show them so.
    """

    def __init__(self, text: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(text)
        self.errors = errors or {}
