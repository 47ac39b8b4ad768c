"""Altair specifications of the planner; the browser draws them, a table stands beside each."""

import altair as alt
from django.utils.translation import gettext as _

from annotation.reports.planner import Plan
from annotation.reports.planner_outcome import Outcome
from annotation.reports.planner_words import lines_named

SHARE = ".1%"
HEIGHT = 340


def forecast(plan: Plan) -> dict:
    """Expected share of right labels by people's labels, one line a strategy; the band is that of
    the best one. Where the target lies and where the round would end is drawn too."""
    result, names = plan.result, lines_named(plan.result)
    rows = [
        {"labels": k, "right": share, "line": name}
        for name, line in zip(names, result["lines"], strict=True)
        for k, share in zip(result["labels"], line["accuracy"], strict=True)
    ]
    x, y = _axes(result["labels"][-1], _lowest(result, plan.wish.target), more=True)
    layers = []
    best = result["lines"][0]
    if best["low"] is not None:
        ends = zip(result["labels"], best["low"], best["high"], strict=True)
        band = alt.Data(values=[{"labels": k, "low": a, "high": b} for k, a, b in ends])
        layers.append(_band(band, x, y))
    lines = alt.Chart(alt.Data(values=rows)).mark_line(clip=True, strokeWidth=2)
    layers.append(
        lines.encode(
            x=x,
            y=y,
            color=alt.Color("line:N", title=None, sort=None)
            .scale(domain=names)
            .legend(orient="bottom", columns=1, labelLimit=420),
            tooltip=[
                alt.Tooltip("line:N", title=_("strategy")),
                alt.Tooltip("labels:Q", title=_("more labels")),
                alt.Tooltip("right:Q", title=_("right"), format=SHARE),
            ],
        )
    )
    target = alt.Data(values=[{"right": plan.wish.target}])
    end = alt.Data(values=[{"labels": plan.drawn}])
    layers += [_rule(target).encode(y=y), _rule(end).encode(x=x)]
    return _sized(alt.layer(*layers))


def outcome(found: Outcome) -> dict:
    """What came out with its intervals, over the forecast that was stored before."""
    rows = [
        {
            "labels": p.labels,
            "right": p.accuracy,
            "from": p.low,
            "to": p.high,
            "expected": p.expected,
            "low": p.expected_low,
            "high": p.expected_high,
        }
        for p in found.points
    ]
    lowest = min(
        row[name] for row in rows for name in ("from", "low", "expected") if row[name] is not None
    )
    x, y = _axes(rows[-1]["labels"], lowest, more=False)
    layers = []
    if banded := [row for row in rows if row["low"] is not None]:
        layers.append(_band(alt.Data(values=banded), x, y))
    if expected := [row for row in rows if row["expected"] is not None]:
        line = alt.Chart(alt.Data(values=expected)).mark_line(
            style="naive", clip=True, strokeDash=[4, 3]
        )
        layers.append(line.encode(x=x, y=_of(y, "expected")))
    came = alt.Chart(alt.Data(values=rows)).encode(
        x=x,
        tooltip=[
            alt.Tooltip("labels:Q", title=_("labels")),
            alt.Tooltip("right:Q", title=_("came out"), format=SHARE),
            alt.Tooltip("from:Q", title=_("from"), format=SHARE),
            alt.Tooltip("to:Q", title=_("to"), format=SHARE),
            alt.Tooltip("expected:Q", title=_("expected"), format=SHARE),
        ],
    )
    rule = came.mark_rule(style="corrected", strokeWidth=3, opacity=0.4)
    point = came.mark_point(style="corrected", shape="square", filled=True, opacity=1, size=50)
    layers += [rule.encode(y=_of(y, "from"), y2="to:Q"), point.encode(y=y)]
    return _sized(alt.layer(*layers))


def _axes(most: int, lowest: float, *, more: bool) -> tuple[alt.X, alt.Y]:
    title = _("More labels of people") if more else _("Samples labelled by people")
    x = alt.X(
        "labels:Q",
        title=title,
        scale=alt.Scale(domain=[0, max(most, 1)], nice=False),
        axis=alt.Axis(tickCount=6, format="~s"),
    )
    y = alt.Y(
        "right:Q",
        title=_("Right labels in the set"),
        scale=alt.Scale(domain=[max(0.0, lowest - 0.02), 1], nice=False, zero=False, clamp=True),
        axis=alt.Axis(format="~%", tickCount=6, minExtent=40),
    )
    return x, y


def _lowest(result: dict, target: float) -> float:
    shares = [line["accuracy"][0] for line in result["lines"]]
    lows = [line["low"][0] for line in result["lines"] if line["low"]]
    return min([*shares, *lows, target])


def _of(y: alt.Y, field: str) -> alt.Y:
    """The same axis for another field: a layer without its scale would begin it at 0."""
    axis = y.copy()
    axis.shorthand = f"{field}:Q"
    return axis


def _band(source: alt.Data, x: alt.X, y: alt.Y) -> alt.Chart:
    area = alt.Chart(source).mark_area(style="corrected", opacity=0.14, line=False, clip=True)
    return area.encode(x=x, y=_of(y, "low"), y2="high:Q")


def _rule(source: alt.Data) -> alt.Chart:
    return alt.Chart(source).mark_rule(style="reference", strokeDash=[5, 4], clip=True)


def _sized(chart: alt.LayerChart) -> dict:
    return chart.properties(width="container", height=HEIGHT, background="transparent").to_dict()
