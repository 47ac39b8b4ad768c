"""What the codebook's pages call the fields of its rules."""

from django import template
from django.utils.translation import gettext_lazy as _

register = template.Library()

FIELDS = {
    "question": _("Question"),
    "instructions": _("Instructions"),
    "unsure": _("“Unsure”"),
    "unsure_policy": _("When to answer “unsure”"),
    "name": _("Name"),
    "definition": _("Definition"),
    "include": _("Include when"),
    "exclude": _("Exclude when"),
    "examples": _("Examples"),
    "key": _("Key"),
    "number": _("Point on the scale"),
}


@register.filter
def field_name(field: str) -> str:
    return FIELDS[field]
