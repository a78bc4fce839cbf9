"""The last hour and the last day as pictures: payouts by minute, what was due, and how long providers took to answer.

Drawn here, as SVG, and told as a table besides. All of it is read from the samples of minutes (worker/minutes.py), so
it costs the same at any size of the payouts.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.operations.figures import RATES_SECONDS, seconds_shown
from payouts.database import replica
from payouts.models import CALL_SECONDS, MinuteSample

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
# A picture of more would be read by nobody.
PROVIDERS_SHOWN = 6
LABELS = 4
SHARES = (("half", 0.5), ("most", 0.95), ("last", 0.99))
WAITS = (5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800)
# So long after a minute it is counted, unless no cluster runs.
COUNTED_WITHIN = timedelta(minutes=4)


@dataclass(slots=True)
class Moment:
    """What happened within a minute, or a quarter of an hour; `due` is the most that was seen, if anybody looked."""

    at: datetime
    paid: int = 0
    refused: int = 0
    unknown: int = 0
    due: int | None = None
    oldest_seconds: int | None = None
    calls: dict[str, list[int]] = field(default_factory=dict)
    """By provider, as `CALL_SECONDS` has the steps."""


@dataclass(frozen=True, slots=True)
class Seen:
    hour: list[Moment]
    day: list[Moment]
    counted_until: datetime | None


def pictures() -> list[dict[str, Any]]:
    """The last hour and the last day, for the template; empty where no minute was counted yet."""
    seen = cached("pictures", Seen, lambda: replica.read(_seen), seconds=RATES_SECONDS)
    if seen.counted_until is None:
        return []
    until = seen.counted_until
    is_late = timezone.now() - until > COUNTED_WITHIN
    late = _("Counted until %(at)s: no cluster counts the minutes since.") % {"at": format.exact_time(until)}
    return [
        {"id": name, "late": late if is_late else "", **_picture(moments, title)}
        for name, moments, title in (
            ("hour", seen.hour, _("Last hour, by minute")),
            ("day", seen.day, _("Last 24 hours, by quarter of an hour")),
        )
    ]


def _seen(using: str) -> Seen:
    minute = timezone.now().replace(second=0, microsecond=0)
    # The present minute is left out; the present quarter is there as far as it has come.
    quarter = minute - timedelta(minutes=minute.minute % 15)
    hour = [Moment(minute - MINUTE * ago) for ago in range(60, 0, -1)]
    day = [Moment(quarter - QUARTER * ago) for ago in range(95, -1, -1)]
    by_minute: dict[datetime, list[MinuteSample]] = defaultdict(list)
    for sample in MinuteSample.objects.using(using).filter(at__gte=day[0].at, at__lt=minute):
        by_minute[sample.at].append(sample)
    for at, samples in by_minute.items():
        places = [day[(at - day[0].at) // QUARTER]]
        if at >= hour[0].at:
            places.append(hour[(at - hour[0].at) // MINUTE])
        for place in places:
            _add(place, samples)
    looked = [at for at, samples in by_minute.items() if any(sample.due is not None for sample in samples)]
    return Seen(hour, day, max(looked, default=None))


def _add(moment: Moment, samples: Sequence[MinuteSample]) -> None:
    for sample in samples:
        moment.paid += sample.paid
        moment.refused += sample.refused
        moment.unknown += sample.unknown
        if sample.calls:
            so_far = moment.calls.get(sample.provider) or [0] * len(sample.calls)
            moment.calls[sample.provider] = [a + b for a, b in zip(so_far, sample.calls, strict=True)]
    looked = [sample for sample in samples if sample.due is not None]
    if looked:
        moment.due = max(moment.due or 0, sum(sample.due or 0 for sample in looked))
        moment.oldest_seconds = max(moment.oldest_seconds or 0, *(sample.oldest_seconds or 0 for sample in looked))


def percentile_seconds(calls: Sequence[int], share: float) -> float | None:
    """In how many seconds this share of the calls was answered, as exactly as the steps tell; None without calls."""
    left = share * sum(calls)
    if not left:
        return None
    bounds = (0.0, *CALL_SECONDS, CALL_SECONDS[-1])
    for step, calls_here in enumerate(calls):
        if calls_here and left <= calls_here:
            return bounds[step] + (bounds[step + 1] - bounds[step]) * left / calls_here
        left -= calls_here
    return CALL_SECONDS[-1]


def _picture(moments: Sequence[Moment], title: str) -> dict[str, Any]:
    calls = {name: sum(map(sum, (each.calls.get(name, ()) for each in moments))) for name in _names(moments)}
    shown = sorted(calls, key=lambda name: -calls[name])[:PROVIDERS_SHOWN]
    return {
        "title": title,
        "groups": [
            {
                "title": _("Payouts"),
                "strips": [
                    _counts(moments, pgettext("how many", "Paid"), "green", lambda each: each.paid),
                    _counts(moments, pgettext("how many", "Refused"), "red", lambda each: each.refused),
                    _counts(moments, _("Outcome unknown"), "magenta", lambda each: each.unknown),
                ],
            },
            {"title": _("Backlog"), "strips": [_due(moments), _oldest(moments)]},
            *(
                {"title": _("Answers of %(provider)s") % {"provider": name}, "strips": [_answers(moments, name)]}
                for name in sorted(shown)
            ),
        ],
        "labels": _labels(moments),
        "providers": sorted(shown),
        "rows": [_row(each, sorted(shown)) for each in reversed(moments)],
    }


def _names(moments: Sequence[Moment]) -> set[str]:
    return {name for each in moments for name in each.calls}


def _counts(moments: Sequence[Moment], name: str, tone: str, of: Callable[[Moment], int]) -> dict[str, Any]:
    values = [of(each) for each in moments]
    total = format.number(sum(values))
    most = max(range(len(values)), key=lambda place: values[place])
    note = _most(format.number(values[most]), moments[most]) if values[most] else ""
    top = _round(max(values))
    return _strip(name, tone, total, note, format.number(round(top))) | {"bars": _bars(values, top)}


def _due(moments: Sequence[Moment]) -> dict[str, Any]:
    known = [each for each in moments if each.due is not None]
    top = _round(max((each.due or 0 for each in known), default=0))
    most = max(known, key=lambda each: each.due or 0, default=None)
    note = _most(format.number(most.due), most) if most and most.due else ""
    last = format.number(known[-1].due or 0) if known else "–"
    bars = _bars([each.due or 0 for each in moments], top)
    return _strip(pgettext("how many", "Due"), "blue", last, note, format.number(round(top))) | {"bars": bars}


def _oldest(moments: Sequence[Moment]) -> dict[str, Any]:
    known = [each for each in moments if each.oldest_seconds is not None]
    most = max(known, key=lambda each: each.oldest_seconds or 0, default=None)
    longest = (most.oldest_seconds or 0) if most else 0
    top = next((step for step in WAITS if step >= longest), longest)
    note = _most(_wait(longest), most) if most and longest else ""
    last = _wait(known[-1].oldest_seconds or 0) if known else "–"
    bars = _bars([each.oldest_seconds or 0 for each in moments], top)
    return _strip(_("Wait of the oldest"), "amber", last, note, _wait(top)) | {"bars": bars}


def _answers(moments: Sequence[Moment], provider: str) -> dict[str, Any]:
    lines = {
        kind: [percentile_seconds(each.calls.get(provider, ()), share) for each in moments] for kind, share in SHARES
    }
    top = _round(max((value for line in lines.values() for value in line if value), default=1.0))
    steps = [list(each.calls[provider]) for each in moments if provider in each.calls]
    all_calls = [sum(column) for column in zip(*steps, strict=True)]
    said = {kind: seconds_shown(percentile_seconds(all_calls, share)) for kind, share in SHARES}
    note = _("half within %(half)s, 95%% within %(most)s, 99%% within %(last)s") % said
    strip = _strip(pgettext("how many", "Calls"), "blue", format.number(sum(all_calls)), note, seconds_shown(top))
    legend = {"half": _("half"), "most": "95%", "last": "99%"}
    return strip | {
        "lines": [{"kind": kind, "label": legend[kind], "path": _line(line, top)} for kind, line in lines.items()]
    }


def _strip(name: str, tone: str, total: str, note: str, top: str) -> dict[str, Any]:
    summary = f"{name}: {total}; {note}." if note else f"{name}: {total}."
    return {"name": name, "tone": tone, "total": total, "note": note, "top": top, "summary": summary}


def _most(value: str, moment: Moment) -> str:
    return _("peak: %(value)s at %(time)s") % {"value": value, "time": _clock(moment.at)}


def _bars(values: Sequence[float], top: float) -> str:
    """One path for all bars, each a unit wide, 100 high at most; what is not nothing is seen."""
    return "".join(
        f"M{place}.15 100v-{max(100 * value / top, 3):.1f}h.7V100z" for place, value in enumerate(values) if value
    )


def _line(values: Sequence[float | None], top: float) -> str:
    """A path through the known values, with a gap where there are none; one alone is a dot."""
    path, is_begun = "", False
    for place, value in enumerate(values):
        if value is None:
            is_begun = False
            continue
        height = 100 - 100 * min(value / top, 1)
        path += f"{'L' if is_begun else 'M'}{place}.5 {height:.1f}" + ("" if is_begun else "h.01")
        is_begun = True
    return path


def _round(most: float) -> float:
    """A round number that is not less: 1, 2 or 5 of some power of ten."""
    steps = (digit * 10.0**exponent for exponent in count(-2 if 0 < most < 1 else 0) for digit in (1, 2, 5))
    return next(step for step in steps if step >= most)


def _labels(moments: Sequence[Moment]) -> list[dict[str, str]]:
    """Times under the pictures, from the first to the last."""
    steps = [place * len(moments) // LABELS for place in range(LABELS)]
    return [
        {"text": _clock(moments[place].at), "left": format.percent(place, len(moments)) if place else "0"}
        for place in steps
    ]


def _row(moment: Moment, providers: Sequence[str]) -> dict[str, Any]:
    return {
        "time": _clock(moment.at),
        "counts": [format.number(each) for each in (moment.paid, moment.refused, moment.unknown)]
        + ["–" if moment.due is None else format.number(moment.due)]
        + ["–" if moment.oldest_seconds is None else _wait(moment.oldest_seconds)],
        "answers": [
            " / ".join(seconds_shown(percentile_seconds(moment.calls.get(name, ()), share)) for _k, share in SHARES)
            if name in moment.calls
            else "–"
            for name in providers
        ],
    }


def _wait(seconds: float) -> str:
    return seconds_shown(seconds) if seconds >= 60 else _("%(count)s s") % {"count": format.number(round(seconds))}


def _clock(moment: datetime) -> str:
    return formats.time_format(timezone.localtime(moment), "H:i")
