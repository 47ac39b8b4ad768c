"""Altair specifications for the pages; the browser draws them, a table stands beside each."""

import altair as alt

# Ten hues that stay apart for colour-blind readers in light and dark; more labels share "other".
MOST_COLOURS = 10


def histogram(distribution, labels, urls, titles):
    """Stacked bars of a distribution, by label; `urls` are where a click on each bar leads.

    `titles` holds the words for the two axes: value and count.
    """
    shown = labels[:MOST_COLOURS]
    rows = []
    for bar, url in zip(distribution.bars, urls, strict=True):
        parts = {label: n for label, n in zip(shown, bar.by_label, strict=False) if n}
        if rest := bar.count - sum(parts.values()):
            parts["…"] = rest
        rows += [
            {
                "low": round(bar.low, 4),
                "high": round(bar.high, 4),
                "label": name,
                "n": n,
                "url": url,
            }
            for name, n in parts.items()
        ]
    domain = [*shown, "…"] if any(row["label"] == "…" for row in rows) else list(shown)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cursor="pointer", binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", title=titles[0]).scale(domain=[0, distribution.top]),
            x2="high:Q",
            y=alt.Y("n:Q", title=titles[1], stack="zero").axis(tickMinStep=1, format="~s"),
            color=alt.Color("label:N", title=None)
            .scale(domain=domain)
            .legend(orient="bottom", columns=4, labelLimit=160),
            tooltip=[
                alt.Tooltip("low:Q", format=".3f"),
                alt.Tooltip("high:Q", format=".3f"),
                alt.Tooltip("label:N"),
                alt.Tooltip("n:Q"),
            ],
        )
        .properties(width="container", height=220, background="transparent")
    )
    return chart.to_dict()
