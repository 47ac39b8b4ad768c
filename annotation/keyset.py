"""Paging by the place of the last row, never by counting: page 9,000 costs what page 1 does."""

from dataclasses import dataclass

from django.db.models import Q

SIZE = 50
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursors of the pages around them ("" where there is none)."""

    rows: list
    previous: str = ""
    next: str = ""


@dataclass(frozen=True)
class Order:
    """Columns whose values together are unique, each with the type that reads it from a cursor."""

    columns: tuple[tuple[str, type], ...]
    descending: bool = False

    def by(self, backwards=False):
        sign = "-" if self.descending != backwards else ""
        return [f"{sign}{name}" for name, kind in self.columns]

    def beyond(self, cursor, backwards=False):
        """Rows on the far side of the cursor; the first column is bounded twice for its index."""
        side = "lt" if self.descending != backwards else "gt"
        here, beyond = Q(), Q()
        for (name, _kind), value in zip(self.columns, cursor, strict=True):
            beyond |= here & Q(**{f"{name}__{side}": value})
            here &= Q(**{name: value})
        return Q(**{f"{self.columns[0][0]}__{side}e": cursor[0]}) & beyond

    def cursor(self, row):
        return "~".join(repr(getattr(row, name)) for name, kind in self.columns)

    def read(self, text):
        """The values in a cursor, or None: a cursor that was tampered with is no cursor."""
        parts = text.split("~")
        if len(parts) != len(self.columns):
            return None
        try:
            return [kind(part) for (name, kind), part in zip(self.columns, parts, strict=True)]
        except ValueError:
            return None


def page(queryset, order: Order, after="", before="", size=SIZE) -> Page:
    """The page after or before a cursor, else the first one."""
    back = order.read(before) if before else None
    start = order.read(after) if after and back is None else None
    if back is not None:
        rows = queryset.filter(order.beyond(back, True)).order_by(*order.by(True))
    elif start is not None:
        rows = queryset.filter(order.beyond(start)).order_by(*order.by())
    else:
        rows = queryset.order_by(*order.by())
    found = list(rows[: size + 1])
    more, found = len(found) > size, found[:size]
    if back is not None:
        found.reverse()
    if not found:
        return Page([])
    earlier = more if back is not None else start is not None
    later = True if back is not None else more
    return Page(
        found,
        previous=order.cursor(found[0]) if earlier else "",
        next=order.cursor(found[-1]) if later else "",
    )


def counted(queryset, most=MOST_COUNTED) -> tuple[int, bool]:
    """How many rows there are, and whether that is all: counting stops at `most`."""
    n = queryset.order_by()[: most + 1].count()
    return min(n, most), n <= most
