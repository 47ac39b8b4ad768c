from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from annotation.templatetags.synthlab import (
    count,
    duration,
    heat,
    markdown,
    money,
    number,
    percent,
)

HARMLESS = {
    *("a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol"),
    *("p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![beacon](https://evil.example/pixel.png)",
    "![beacon][1]\n\n[1]: https://evil.example/pixel.png",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](java\tscript:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](javascript&colon;alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](vbscript:msgbox)",
    "[click](//evil.example/)",
    "[click](/logout/)",
    "<javascript:alert(1)>",
    '[click](https://ok.example/ "x\\" onmouseover=\\"alert(1)")',
    '[click](https://ok.example/" onmouseover="alert(1))',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<div style="position:fixed;inset:0">over all</div>',
    "<style>body{background:url(https://evil.example)}</style>",
    '<a hx-get="/projects/" hx-trigger="load">x</a>',
    '<div data-hx-post="/projects/new/" data-hx-trigger="load">x</div>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<form action="https://evil.example"><button>go</button></form>',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<base href="https://evil.example/">',
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '``` "><img/src/onerror=alert(1)>\ncode\n```',
    "`</code><script>alert(1)</script>`",
    "| a |\n|:--|\n| <img src=x onerror=alert(1)> |",
    "# <script>alert(1)</script>",
    "<!-- --><script>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php alert(1) ?>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
    "[a](https://ok.example/)\n\n<a href='javascript:alert(1)'>b</a>",
    "\u202e<script>alert(1)</script>",
]


class Elements(HTMLParser):
    """Every element that a browser would see, with its attributes."""

    def __init__(self, html):
        super().__init__()
        self.seen = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_comment(self, data):
        self.seen.append(("!--", {}))

    def handle_decl(self, decl):
        self.seen.append(("!", {}))


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_yields_only_harmless_elements_whatever_it_is_given(text):
    for tag, attributes in Elements(markdown(text)).seen:
        assert tag in HARMLESS
        assert set(attributes) <= {"href", "title", "rel", "start"}
        assert attributes.get("href", "https:").startswith(("https:", "http:", "mailto:"))


def test_markdown_shows_raw_html_as_text():
    assert "&lt;script&gt;" in markdown("<script>alert(1)</script>")


def test_markdown_makes_a_link_of_an_image_and_loads_nothing():
    html = markdown("![beacon](https://evil.example/pixel.png)")
    assert '!<a href="https://evil.example/pixel.png"' in html
    assert "<img" not in html


def test_markdown_does_not_guess_links():
    assert "<a" not in markdown("www.example.org and https://example.org")


def test_markdown_links_do_not_hand_on_this_page():
    assert markdown("[manual](https://example.org)").strip() == (
        '<p><a href="https://example.org" rel="noopener nofollow">manual</a></p>'
    )


def test_markdown_headings_stay_below_those_of_the_page():
    assert markdown("# One\n\n## Two\n\n###### Six") == (
        "<h3>One</h3>\n<h4>Two</h4>\n<h6>Six</h6>\n"
    )


def test_markdown_tables_carry_no_inline_style():
    html = markdown("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert "<td>1</td>" in html
    assert "style" not in html


def test_markdown_of_nothing_is_nothing():
    assert markdown(None) == markdown("") == ""


def rendered(source, url="/samples/", **context):
    request = RequestFactory().get(url)
    return Template("{% load synthlab %}" + source).render(Context({"request": request, **context}))


def test_query_changes_one_parameter_and_keeps_the_others():
    url = "/samples/?label=a&label=b&page=1"
    assert rendered("{% query page=2 %}", url) == "?label=a&amp;label=b&amp;page=2"


def test_query_takes_a_parameter_away():
    assert rendered("{% query after=None %}", "/samples/?after=9&q=x") == "?q=x"


def test_query_escapes_what_the_address_bar_brought():
    html = rendered("{% query page=2 %}", "/samples/?q=%22%3E%3Cscript%3E")
    assert html == "?q=%22%3E%3Cscript%3E&amp;page=2"


def test_a_table_head_sorts_upwards_first_then_downwards():
    head = '{% sort_head "confidence" "Confidence" %}'
    fresh = rendered(head, "/samples/?q=x&after=9")
    assert 'href="?q=x&amp;sort=confidence"' in fresh
    assert "aria-sort" not in fresh
    upwards = rendered(head, "/samples/?sort=confidence")
    assert 'aria-sort="ascending"' in upwards
    assert 'href="?sort=-confidence"' in upwards
    assert 'aria-sort="descending"' in rendered(head, "/samples/?sort=-confidence")


def test_sorting_and_paging_come_back_to_where_the_table_is():
    head = rendered('{% sort_head "pk" "Sample" anchor="rows" %}')
    assert 'href="?sort=pk#rows"' in head
    pager = '{% include "components/_pager.html" with previous="" next="c1" anchor="rows" %}'
    html = rendered(pager, "/samples/?sort=pk&before=c0")
    assert 'href="?sort=pk&amp;after=c1#rows"' in html
    assert "Previous" not in html


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.4123, "41.2\u202f%"), (0, "0.0\u202f%"), (1, "100.0\u202f%")],
)
def test_a_share_is_said_as_per_cent(share, said):
    assert percent(share) == said


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_said_in_words(missing):
    assert percent(missing) == number(missing) == "undefined"


@pytest.mark.parametrize(
    ("micro_units", "said"),
    [
        (0, "$0.00"),
        (1, "< $0.0001"),
        (49, "< $0.0001"),
        (12_345, "$0.0123"),
        (1_000_000, "$1.00"),
        (1_234_567_890, "$1,234.57"),
        (-2_500_000, "\u2212$2.50"),
        (9_007_199_254_740_993_000_000, "$9,007,199,254,740,993.00"),
        (None, "unknown"),
    ],
)
def test_money_is_exact_and_readable(micro_units, said):
    assert money(micro_units) == said


def test_money_names_a_currency_without_a_symbol():
    assert money(2_500_000, "CHF") == "CHF\u202f2.50"
    assert money(2_500_000, "EUR") == "€2.50"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.85, "850 ms"),
        (12.44, "12.4 s"),
        (59.99, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 0 min"),
        (timedelta(hours=1, minutes=4), "1 h 4 min"),
        (4 * 86400, "4 days"),
        (None, "unknown"),
    ],
)
def test_durations_are_said_in_at_most_two_units(seconds, said):
    assert duration(seconds) == said


def test_counts_are_grouped():
    assert count(12_345) == "12,345"
    assert count(None) == "unknown"


@pytest.mark.parametrize(
    ("share", "step"),
    [(0, "heat-0"), (0.1, "heat-1"), (0.99, "heat-9"), (1, "heat-9"), (-1, "heat-0"), (None, "")],
)
def test_a_share_has_one_of_ten_heat_steps(share, step):
    assert heat(share) == step


def test_a_figure_shows_its_interval_and_where_it_comes_from():
    html = rendered('{% figure "Accuracy" 0.84 0.79 0.88 "from 250 answers drawn by round 3" %}')
    assert "84.0\u202f%" in html
    assert "79.0\u202f% to 88.0\u202f%" in html
    assert "from 250 answers drawn by round 3" in html
    assert 'x="79.00" y="4" width="9.00"' in html


def test_a_figure_that_the_design_cannot_support_says_what_is_missing():
    html = rendered(
        '{% figure "Accuracy" missing="no audit part" action="Draw" action_url="/x/" %}'
    )
    assert "not measurable yet" in html
    assert "no audit part" in html
    assert 'href="/x/"' in html


def test_a_figure_without_interval_says_so():
    assert "no interval" in rendered('{% figure "Accuracy" 0.84 %}')


def test_an_undefined_figure_says_why():
    html = rendered("{% figure 'Kappa' value undefined='all the same' %}", value=float("nan"))
    assert "undefined" in html
    assert "all the same" in html


def test_a_figure_escapes_foreign_words():
    html = rendered('{% figure "K" 1 1 1 provenance %}', provenance="<script>")
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_figures_round_rather_than_cut_off():
    assert number(0.699) == "0.70"
    assert percent(0.85183).startswith("85.2")
    assert percent(0.876, 0).startswith("88")
