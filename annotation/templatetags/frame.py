"""The frame of a project page: its navigation, without a link that the user may not open."""

from functools import cache

from django import template
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext_lazy as _

register = template.Library()

SECTIONS = (
    ("overview", "annotation:project", _("Overview")),
    ("codebook", "annotation:codebook", _("Codebook")),
    ("lab", "annotation:lab", _("Lab")),
    ("samples", "annotation:samples", _("Samples")),
    ("machines", "annotation:machines", _("Machines")),
    ("planner", "annotation:planner", _("Planner")),
    ("rounds", "annotation:rounds", _("Rounds")),
    ("agreement", "annotation:agreement", _("Agreement")),
    ("reliability", "annotation:reliability", _("Reliability")),
    ("certificate", "annotation:certificate", _("Certificate")),
    ("releases", "annotation:releases", _("Releases")),
    ("runs", "generation:runs", _("Runs")),
    ("members", "annotation:members", _("Members")),
)


@cache
def roles_of(url_name: str) -> tuple[str, ...]:
    """The roles that the view behind a project's address declares; none if there is no view."""
    try:
        return resolve(reverse(url_name, args=[1])).func.roles
    except NoReverseMatch:
        return ()


@register.inclusion_tag("components/_project_nav.html", takes_context=True)
def project_nav(context, project, section: str) -> dict:
    """The sections that the user's role in the project opens."""
    role = getattr(context["request"], "role", None)
    return {
        "section": section,
        "links": [
            (name, reverse(url_name, args=[project.pk]), label)
            for name, url_name, label in SECTIONS
            if role in roles_of(url_name)
        ],
    }
