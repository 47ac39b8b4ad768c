"""What a finished release holds, read from its manifest."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotation.models import Release


@dataclass(frozen=True)
class Contents:
    """Of one export: where its final labels come from, its files, and what it rests on."""

    counts: dict[str, Any]
    sources: list[tuple[str, str, int]]  # name, kind of badge, samples
    files: list[dict[str, Any]]
    editions: list[dict[str, Any]]
    rounds: list[dict[str, Any]]
    machines: list[dict[str, Any]]
    options: list[str]
    manifest: dict[str, Any]


def contents(release: Release) -> Contents | None:
    """None until it is finished."""
    if release.state != Release.State.DONE:
        return None
    made = release.manifest
    return Contents(
        counts=made["counts"],
        sources=_sources(made["counts"]["by_source"]),
        files=[made["packed"]] if "packed" in made else made["files"],
        editions=made["editions"],
        rounds=made["rounds"],
        machines=[machine for machine in made["machines"] if machine["id"] == made["machine"]],
        options=said(release),
        manifest=made,
    )


def _sources(counts: dict[str, int]) -> list[tuple[str, str, int]]:
    kinds = {
        "adjudicated": (_("an adjudicator"), "person"),
        "people": (_("people, by most votes"), "person"),
        "model": (_("the model"), "machine"),
        "corrected": (_("a student, against the model"), "machine"),
        "disputed": (_("none: people are divided"), "warn"),
        "none": (_("none yet"), ""),
    }
    return [(*kinds[source], counts.get(source, 0)) for source in kinds]


def said(release: Release) -> list[str]:
    """The options of an export in words."""
    options = release.options
    words = [_("only with a final label")] if options.get("only_final") else []
    for name, sentence in (("split", _("split %(value)s")), ("origin", _("%(value)s only"))):
        if options.get(name):
            words.append(sentence % {"value": options[name]})
    words.append(_("real names") if options.get("names") else _("pseudonyms"))
    if not options.get("corrected", True):
        words.append(_("without corrected labels"))
    if options.get("raw") and release.format == Release.Format.CSV:
        words.append(_("raw cells"))
    return words
