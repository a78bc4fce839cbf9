"""The page at `/`: what the ledger holds, for people who try things. It shows no recipient."""

from html import escape
from typing import Final

from payouts import sandbox
from payouts.sandbox.dialects import SPOKEN
from payouts.sandbox.exchange import Reply
from payouts.sandbox.ledger import Ledger, Payment

SHOWN: Final = 100
_HEADERS: Final = (
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nCache-Control: no-store\r\n"
)
_COLUMNS: Final = ("Made at (UTC)", "Amount", "Currency", "Status", "Reason", "Dialect", "Reference", "Id")
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The sandbox's ledger</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
th, td {{ padding: .25rem .75rem; text-align: start; border-bottom: 1px solid #8888; white-space: nowrap }}
td:nth-child(2) {{ text-align: end }}
div {{ overflow-x: auto }}
</style>
<main>
<h1>The sandbox's ledger</h1>
<p>Payments: {count}. The newest {shown} are shown; load the page again for newer ones. No money moves here.</p>
<div role="region" aria-label="Payments" tabindex="0">
<table>
<thead><tr>{columns}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<h2>What can be tried</h2>
<div role="region" aria-label="What can be tried" tabindex="0"><pre>{manual}</pre></div>
</main>
</html>
"""


def of(ledger: Ledger) -> Reply:
    payments = ledger.newest(SHOWN)
    text = _PAGE.format(
        count=ledger.count(),
        shown=len(payments),
        columns="".join(f'<th scope="col">{name}</th>' for name in _COLUMNS),
        rows="\n".join(_row(payment) for payment in payments),
        manual=escape("\n\n".join([sandbox.__doc__ or "", *(spoken.manual for spoken in SPOKEN)])),
    )
    return Reply(200, raw=text.encode(), content_type="text/html; charset=utf-8", headers=_HEADERS)


def _row(payment: Payment) -> str:
    cells = (
        payment.at.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00"),
        payment.amount,
        payment.currency,
        payment.status,
        payment.code,
        payment.dialect,
        payment.reference,
        payment.id,
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
