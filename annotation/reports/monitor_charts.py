"""Altair specifications of a round's monitor; the browser draws them, a table beside them.

The styles `corrected` and `reference` are coloured by the page (chart.js).
"""

import altair as alt
from django.utils.translation import gettext as _

from annotation.reports.monitors import Monitoring, Point

MARGIN = 44  # beside both vertical axes, so that the charts stand exactly above one another
MOST_EVIDENCE = 1e6  # drawn no higher


def share(found: Monitoring) -> dict:
    """The share so far with its band, valid at all places at once, against the target."""
    y = alt.Y(
        "share:Q",
        title=_("People agree"),
        scale=alt.Scale(domain=[_floor(found), 1], nice=False, clamp=True),
        axis=alt.Axis(format="~%", tickCount=5, minExtent=MARGIN),
    )
    base = _base(found)
    band = base.mark_area(style="corrected", opacity=0.2, line=False, clip=True)
    line = base.mark_line(style="corrected", strokeWidth=2.5, clip=True)
    layers = [
        band.encode(y=alt.Y("low:Q", title=_("People agree")), y2="high:Q"),
        line.encode(y=y),
        _rule(found.target).encode(y="at:Q"),
    ]
    return _sized(alt.layer(*layers), 240)


def _floor(found):
    """Not from 0, where nothing is; a fifth of a share below all that matters."""
    late = [point.low for point in found.points if 3 * point.n >= found.last.n]
    return round(max(0.0, min(*late, found.target) - 0.1), 2)


def evidence(found: Monitoring) -> dict:
    """The evidence that the share is above the target, and the line that decides."""
    scale = alt.Scale(type="log", domain=[0.01, _ceiling(found)], clamp=True)
    axis = alt.Axis(format="~g", tickCount=4, minExtent=MARGIN)
    line = _base(found).mark_line(style="corrected", strokeWidth=2.5, clip=True)
    layers = [
        line.encode(y=alt.Y("evidence:Q", title=_("Evidence"), scale=scale, axis=axis)),
        _rule(1 / found.alpha).encode(y="at:Q"),
    ]
    return _sized(alt.layer(*layers), 150)


def _ceiling(found):
    highest = max(point.evidence for point in found.points)
    return max(10 / found.alpha, min(highest * 2, MOST_EVIDENCE))


def _base(found):
    values = [_value(point) for point in found.points]
    shown = [
        alt.Tooltip("n:Q", title=_("samples")),
        alt.Tooltip("share:Q", title=_("people agree"), format=".1%"),
        alt.Tooltip("low:Q", title=_("from"), format=".1%"),
        alt.Tooltip("high:Q", title=_("to"), format=".1%"),
        alt.Tooltip("evidence:Q", title=_("evidence"), format=".3~g"),
    ]
    x = alt.X(
        "n:Q",
        title=_("Samples drawn by lot, in their order"),
        scale=alt.Scale(domain=[1, max(found.last.n, 2)], nice=False),
        axis=alt.Axis(tickMinStep=1, format="~s"),
    )
    return alt.Chart(alt.Data(values=values)).encode(x=x, tooltip=shown)


def _value(point: Point) -> dict:
    return {
        "n": point.n,
        "share": round(point.share, 4),
        "low": round(point.low, 4),
        "high": round(point.high, 4),
        "evidence": max(float(f"{min(point.evidence, MOST_EVIDENCE):.4g}"), 0.001),
    }


def _rule(at):
    base = alt.Chart(alt.Data(values=[{"at": at}]))
    return base.mark_rule(style="reference", strokeDash=[5, 4], strokeWidth=1.5)


def _sized(chart: alt.LayerChart, height: int) -> dict:
    sized = chart.properties(width="container", height=height, background="transparent")
    return sized.to_dict()
