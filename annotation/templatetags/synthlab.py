"""What templates need beside Django's own: numbers said well, links that keep place, Markdown.

The one reviewed module that may call `mark_safe`: on what nh3 has just cleaned, nothing else.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from numbers import Real

import nh3
from django import template
from django.utils.formats import number_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext
from markdown_it import MarkdownIt

register = template.Library()

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
MICRO = 1_000_000
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
CURSORS = ("after", "before")

# CommonMark with tables; no raw HTML, no guessed links, and no images, which would tell a
# stranger who reads the page and when.
COMMONMARK = (
    MarkdownIt("commonmark", {"html": False, "linkify": False})
    .enable(["table", "strikethrough"])
    .disable("image")
)
TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol"),
    *("p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


@register.filter
def markdown(text: str | None) -> SafeString:
    """Markdown as HTML that cannot run, load or restyle anything; its headings start at h3."""
    tokens = COMMONMARK.parse(text or "")
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    html = COMMONMARK.renderer.render(tokens, COMMONMARK.options, {})
    cleaned = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener nofollow",
    )
    return mark_safe(cleaned)


@register.simple_tag(takes_context=True)
def query(context, **changes) -> str:
    """The current query string with these parameters changed; None takes one away."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value is not None and value != "":
            parameters[name] = value
    return f"?{parameters.urlencode()}"


@register.inclusion_tag("components/_sort.html", takes_context=True)
def sort_head(context, name: str, label: str, number: bool = False, anchor: str = "") -> dict:
    """A table head that sorts by `name`, then by `-name`; filters stay, paging starts anew.

    The page comes back at the element whose id is `anchor`, so that nobody loses their place.
    """
    now = context["request"].GET.get("sort", "")
    order = {name: "ascending", f"-{name}": "descending"}.get(now)
    to = f"-{name}" if order == "ascending" else name
    link = query(context, sort=to, **dict.fromkeys(CURSORS))
    link += f"#{anchor}" if anchor else ""
    return {"label": label, "link": link, "order": order, "number": number}


@register.filter
def count(value: int | None) -> str:
    """12,345"""
    return gettext("unknown") if value is None else number_format(value, force_grouping=True)


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    """A share between 0 and 1 as per cent; what is no number is said in words."""
    if not is_number(share):
        return gettext("undefined")
    return f"{number_format(round(share * 100, digits), digits)}{NARROW_SPACE}%"


@register.filter
def number(value: float | None, digits: int = 2) -> str:
    """A figure that is no share, such as kappa; what is no number is said in words."""
    return number_format(round(value, digits), digits) if is_number(value) else gettext("undefined")


def is_number(value: float | None) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


@register.filter
def money(micro_units: int | None, currency: str = "USD") -> str:
    """Integer micro-units as money: two digits from one unit on, four below it."""
    if micro_units is None:
        return gettext("unknown")
    sign = "\N{MINUS SIGN}" if micro_units < 0 else ""
    prefix = sign + SYMBOLS.get(currency, f"{currency}{NARROW_SPACE}")
    if 0 < abs(micro_units) < 50:
        return f"< {prefix}{number_format(Decimal('0.0001'))}"
    digits = 4 if 0 < abs(micro_units) < MICRO else 2
    amount = Decimal(abs(micro_units)) / MICRO
    return prefix + number_format(round(amount, digits), digits, force_grouping=True)


@register.filter
def duration(value: float | timedelta | None) -> str:
    """Seconds as people say them, with at most two units."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not is_number(seconds):
        return gettext("unknown")
    if seconds < 1:
        return gettext("%(n)s ms") % {"n": round(seconds * 1000)}
    if seconds < 59.95:
        return gettext("%(n)s s") % {"n": number_format(round(seconds, 1))}
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return gettext("%(m)s min %(s)s s") % {"m": minutes, "s": seconds}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return gettext("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
    days = hours // 24
    return ngettext("%(d)s day", "%(d)s days", days) % {"d": days}


@register.filter
def heat(share: float | None) -> str:
    """The class of a heat-map cell: ten equal steps between 0 and 1."""
    if not is_number(share):
        return ""
    return f"heat-{min(9, max(0, int(share * 10)))}"


@dataclass(frozen=True)
class IntervalBar:
    """An interval on a track 100 wide, as numbers that SVG attributes take in every language."""

    start: str
    width: str
    point: str


def interval_bar(value: float, low: float, high: float, floor: float) -> IntervalBar:
    def place(x: float) -> float:
        return 100 * min(1.0, max(0.0, (x - floor) / (1 - floor)))

    start, end = place(low), place(high)
    return IntervalBar(f"{start:.2f}", f"{max(end - start, 0.5):.2f}", f"{place(value):.2f}")


@register.inclusion_tag("components/_figure.html")
def figure(
    label: str,
    value: float | None = None,
    low: float | None = None,
    high: float | None = None,
    provenance: str = "",
    kind: str = "percent",
    floor: float = 0,
    **words: str,
) -> dict:
    """A figure with its interval and the draw it comes from, or why it cannot be measured yet.

    `kind` is percent or number; `floor` is where the scale begins (-1 for kappa). Words:
    `missing` says what the design lacks, `action` and `action_url` the button that mends it,
    `naive` the uncorrected figure, `undefined` why the value does not exist.
    """
    say = percent if kind == "percent" else number
    measured = all(is_number(x) for x in (value, low, high))
    return {
        "label": label,
        "value": say(value) if is_number(value) else None,
        "low": say(low) if measured else None,
        "high": say(high) if measured else None,
        "bar": interval_bar(value, low, high, floor) if measured else None,
        "provenance": provenance,
        **words,
    }
