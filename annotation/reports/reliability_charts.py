"""Altair specifications of the reliability page; the browser draws them, a table beside each.

The styles `corrected`, `naive` and `reference` are coloured by the page (chart.js).
"""

import altair as alt
from django.utils.translation import gettext as _

from annotation.reports.reliability import BinRow, Reading
from synthlab.science.calibration import Bin
from synthlab.science.risk_coverage import Point

SHARE = ".1%"
MARGIN = 40  # beside every vertical axis, so that charts stand exactly above one another


def _share(name: str, title: str, top: float = 1, margin: int = 0) -> dict:
    """The arguments of an axis of shares."""
    return {
        "shorthand": f"{name}:Q",
        "title": title,
        "scale": alt.Scale(domain=[0, top], nice=False, padding=0),
        "axis": alt.Axis(format="~%", tickCount=5, minExtent=margin),
    }


def _sized(chart: alt.LayerChart, height: int) -> dict:
    sized = chart.properties(width="container", height=height, background="transparent")
    return sized.to_dict()


def diagram(bins: tuple[BinRow, ...]) -> dict:
    """How often people agree, by how sure the machine was; the diagonal is a machine that is right
    as often as it says. Corrected: squares with thick intervals; naive: hollow circles."""
    ends = alt.Data(values=[{"said": 0, "right": 0}, {"said": 1, "right": 1}])
    x = alt.X(**_share("said", _("How sure it was")))
    y = alt.Y(**_share("right", _("People agree"), margin=MARGIN))
    perfect = alt.Chart(ends).mark_line(style="reference", strokeDash=[5, 4]).encode(x=x, y=y)
    layers = [perfect]
    for style, found in (
        ("naive", [row.naive for row in bins]),
        ("corrected", [row.corrected for row in bins]),
    ):
        values = [_bin(bin_) for bin_ in found if bin_ is not None]
        if values:
            layers += _with_intervals(alt.Data(values=values), style, x, y)
    return _sized(alt.layer(*layers), 320)


def _bin(found: Bin) -> dict:
    low, high = found.accuracy.interval or (found.accuracy.value, found.accuracy.value)
    return {
        "said": round(found.confidence, 4),
        "right": round(found.accuracy.value, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": found.count,
    }


def _with_intervals(source: alt.Data, style: str, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    thick = style == "corrected"
    base = alt.Chart(source).encode(
        x=x,
        tooltip=[
            alt.Tooltip("said:Q", title=_("How sure it was"), format=SHARE),
            alt.Tooltip("right:Q", title=_("People agree"), format=SHARE),
            alt.Tooltip("low:Q", title=_("from"), format=SHARE),
            alt.Tooltip("high:Q", title=_("to"), format=SHARE),
            alt.Tooltip("n:Q", title=_("answers")),
        ],
    )
    rule = base.mark_rule(style=style, strokeWidth=3 if thick else 1, opacity=0.5 if thick else 0.9)
    point = base.mark_point(
        style=style, shape="square" if thick else "circle", filled=thick, opacity=1, size=60
    )
    return [rule.encode(y=alt.Y("low:Q"), y2="high:Q"), point.encode(y=y)]


def counts(bins: tuple[BinRow, ...]) -> dict:
    """How many answers lie in each bin; those drawn by lot stand in front."""
    values = [
        {
            "said": round((row.low + row.high) / 2, 4),
            "n": row.naive.count if row.naive else 0,
            "lot": row.corrected.count if row.corrected else 0,
        }
        for row in bins
    ]
    shown = [
        alt.Tooltip("n:Q", title=_("answers")),
        alt.Tooltip("lot:Q", title=_("of these by lot")),
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(**_share("said", _("How sure it was"))), tooltip=shown
    )
    axis = alt.Axis(tickMinStep=1, tickCount=3, format="~s", minExtent=MARGIN)
    behind = base.mark_bar(style="naive", size=12, opacity=0.45)
    front = base.mark_bar(style="corrected", size=12, opacity=1)
    layers = [
        behind.encode(y=alt.Y("n:Q", title=_("Answers"), axis=axis)),
        front.encode(y=alt.Y("lot:Q")),
    ]
    return _sized(alt.layer(*layers), 90)


def curve(corrected: Reading, naive: Reading) -> dict:
    """Error rate by the share kept. The band is that of the whole set where there is one, else
    of the answered samples; it holds at each single point."""
    banded = corrected if corrected.curve.points else naive
    top = max(point.risk.interval[1] for point in banded.curve.points if point.risk.interval)
    top = min(1.0, max(top * 1.05, 0.05))
    x = alt.X(**_share("kept", _("Share of the labels kept, the surest first")))
    y = alt.Y(**_share("wrong", _("Error rate among them"), top))
    layers = []
    for style, reading in (("naive", naive), ("corrected", corrected)):
        values = [_point(point) for point in reading.curve.points]
        if not values:
            continue
        source = alt.Data(values=values)
        if reading is banded:
            band = alt.Chart(source).mark_area(style=style, opacity=0.18, line=False)
            layers.append(band.encode(x=x, y=alt.Y("low:Q"), y2="high:Q"))
        layers.append(_line(source, style, x, y))
    return _sized(alt.layer(*layers), 320)


def _point(point: Point) -> dict:
    low, high = point.risk.interval or (point.risk.value, point.risk.value)
    return {
        "kept": round(point.coverage, 4),
        "wrong": round(point.risk.value, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "from": round(point.threshold, 4),
    }


def _line(source: alt.Data, style: str, x: alt.X, y: alt.Y) -> alt.Chart:
    solid = style == "corrected"
    return (
        alt.Chart(source)
        .mark_line(
            style=style,
            clip=True,
            strokeWidth=2.5 if solid else 1.5,
            strokeDash=[1, 0] if solid else [4, 3],
            point=alt.OverlayMarkDef(style=style, size=22, filled=True),
        )
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("from:Q", title=_("confidence from"), format=SHARE),
                alt.Tooltip("kept:Q", title=_("kept"), format=SHARE),
                alt.Tooltip("wrong:Q", title=_("error rate"), format=SHARE),
                alt.Tooltip("low:Q", title=_("from"), format=SHARE),
                alt.Tooltip("high:Q", title=_("to"), format=SHARE),
            ],
        )
    )
