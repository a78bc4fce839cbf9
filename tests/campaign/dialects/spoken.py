"""The providers that the campaign can run on, by the names that CAMPAIGN_PROVIDER takes."""

from typing import Final

from tests.campaign.dialects import Dialect
from tests.campaign.dialects.http import Http
from tests.campaign.dialects.yookassa import YooKassa

DEFAULT: Final = "http"
SPOKEN: Final[dict[str, Dialect]] = {DEFAULT: Http(), "yookassa": YooKassa()}
