"""Writing the rules: drafts, publishing an edition, and what happens to removed labels."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max
from django.utils.timezone import now
from django.utils.translation import gettext as _

from annotation.imports.mapping import mapping_from
from annotation.models import (
    Adjudication,
    Annotation,
    Codebook,
    CodebookNote,
    Label,
    Sample,
    Suggestion,
)
from annotation.task_types.base import LabelRule, Rules
from annotation.task_types.changes import Changes, compare
from annotation.task_types.checks import lacks
from synthlab.failpoints import mutated

TEXTS = ("question", "instructions", "unsure", "unsure_policy")  # of an edition, beside its labels


class StaleDraft(Exception):
    """Someone else saved, published or discarded the draft since it was read."""


class CannotPublish(Exception):
    """The draft may not become an edition. `messages` say what to do."""

    def __init__(self, messages):
        self.messages = messages
        super().__init__(" ".join(messages))


@transaction.atomic
def start_draft(project, created_by):
    """The project's draft: the one there is, or a copy of the newest edition."""
    if draft := project.codebooks.drafts().first():
        return draft
    parent = project.edition()
    fields = {"number": next_number(project), "parent": parent}
    if parent:
        fields |= {name: getattr(parent, name) for name in TEXTS}
        fields["change"] = Codebook.Change.WORDING
    try:
        with transaction.atomic():
            draft = Codebook.objects.create(project=project, created_by=created_by, **fields)
    except IntegrityError:  # a second click was faster
        return project.codebooks.drafts().get()
    if parent:
        write_labels(draft, parent.rules().labels)
    return draft


def next_number(project):
    """Every text that was ever frozen, tried or published, has a number of its own."""
    return (project.codebooks.aggregate(last=Max("number"))["last"] or 0) + 1


@transaction.atomic
def save_draft(draft, rules, version):
    """Replace the draft's rules; raises StaleDraft if it is no longer at this version."""
    saved = Codebook.objects.drafts().filter(pk=draft.pk)
    if not mutated("stale_draft"):
        saved = saved.filter(version=version)
    offered = Codebook.Unsure.OFFERED if rules.unsure else Codebook.Unsure.NEVER
    if not saved.update(
        question=rules.question,
        instructions=rules.instructions,
        unsure=offered,
        unsure_policy=rules.unsure_policy,
        version=F("version") + 1,
    ):
        raise StaleDraft
    draft.labels.all().delete()
    write_labels(draft, rules.labels)


@transaction.atomic
def replace_draft(project, rules, created_by):
    """Put imported rules into the project's draft, whatever it held."""
    draft = start_draft(project, created_by)
    save_draft(draft, rules, draft.version)
    return draft


def write_labels(draft, labels):
    """Rows for the labels of an edition that has none yet."""
    Label.objects.bulk_create(
        Label(
            codebook=draft,
            position=position,
            slug=label.slug,
            name=label.name,
            definition=label.definition,
            include=label.include,
            exclude=label.exclude,
            key=label.key,
            number=label.number,
            examples=[
                {"text": x.text, "why": x.why, "near_miss": x.near_miss} for x in label.examples
            ],
        )
        for position, label in enumerate(labels)
    )


@transaction.atomic
def discard_draft(draft, version):
    """Throw the draft away; raises StaleDraft if it is no longer at this version."""
    mine = Codebook.objects.drafts().filter(pk=draft.pk, version=version)
    if not mine.update(version=F("version") + 1):
        raise StaleDraft
    Codebook.objects.get(pk=draft.pk).delete()


@dataclass(frozen=True)
class RemovedLabel:
    """A label that the draft no longer has, and how often answers and machines gave it."""

    label: LabelRule
    answers: int  # annotations, adjudications and reference labels
    suggestions: int


@dataclass(frozen=True)
class Publication:
    """A draft beside the edition that it would follow."""

    rules: Rules
    changes: Changes | None  # None: it would be the first edition
    removed: tuple[RemovedLabel, ...]
    lacks: tuple[str, ...]  # why it cannot be published yet, besides labels to be mapped


def publication(draft):
    """What publishing the draft would mean."""
    rules = draft.rules()
    lacking = [str(fault) for fault in lacks(rules, draft.project.task)]
    if draft.parent is None:
        return Publication(rules, None, (), tuple(lacking))
    changes = compare(draft.parent.rules(), rules)
    if not changes:
        lacking.append(_("Nothing differs from the edition before."))
    return Publication(rules, changes, _removed(draft, changes.removed), tuple(lacking))


def _removed(draft, labels):
    if not labels:
        return ()
    answers, suggestions = _uses(draft.project)
    return tuple(
        RemovedLabel(label, answers.get(label.slug, 0), suggestions.get(label.slug, 0))
        for label in labels
    )


def _uses(project):
    """How many answers, and how many suggestions, hold each label."""
    answers = [
        (Annotation.objects.filter(project=project), "code"),
        (Adjudication.objects.filter(project=project), "code"),
        (Sample.objects.visible().filter(project=project), "reference_code"),
    ]
    suggestions = [(Suggestion.objects.filter(machine__project=project), "code")]
    return _counted(answers), _counted(suggestions)


def _counted(sources):
    counts = {}
    for rows, field in sources:
        for code, n in rows.values_list(field).annotate(n=Count("pk")).order_by():
            for slug in (code or "").split("|"):
                counts[slug] = counts.get(slug, 0) + n
    return counts


@transaction.atomic
def publish(draft, *, version, published_by, change="", change_note="", removed=None):
    """Make the draft an edition for ever.

    `removed` maps each label that went to the label that answers mean now, or to None. Where a
    trial froze this very text, the trial becomes the edition and the draft goes: what machines
    answered under it stays valid. Raises StaleDraft, or CannotPublish with what is missing.
    """
    found = publication(draft)
    removed = removed or {}
    messages = [*found.lacks, *_unmapped(found, removed), *_change_faults(found, change)]
    if messages:
        raise CannotPublish(messages)
    columns = {
        "state": Codebook.State.PUBLISHED,
        "published_at": now(),
        "published_by": published_by,
        "change": change if found.changes is not None else Codebook.Change.FIRST,
        "change_note": change_note,
        "removed": {gone.label.slug: removed.get(gone.label.slug) for gone in found.removed},
    }
    tried = draft.as_tried()
    ready = Codebook.objects.drafts().filter(pk=draft.pk, version=version)
    if not ready.update(version=F("version") + 1, **({} if tried else columns)):
        raise StaleDraft
    if tried:
        Codebook.objects.get(pk=draft.pk).delete()
        Codebook.objects.trials().filter(pk=tried.pk).update(**columns)
    edition = tried or draft
    edition.refresh_from_db()
    return edition


def _unmapped(found, removed):
    messages = []
    for gone in found.removed:
        slug = gone.label.slug
        if slug not in removed and gone.answers:
            message = _("Label “%(name)s” is used by %(n)d answers. Say what they mean now.")
            messages.append(message % {"name": gone.label.name, "n": gone.answers})
        elif removed.get(slug) is not None and removed[slug] not in found.rules.slugs:
            message = _("“%(slug)s” is not a label of the new edition.")
            messages.append(message % {"slug": removed[slug]})
    return messages


def _change_faults(found, change):
    if found.changes is None:
        return []
    if change not in (Codebook.Change.WORDING, Codebook.Change.MEANING):
        return [_("Say whether the wording or the meaning changed.")]
    if change == Codebook.Change.WORDING and (found.changes.added or found.changes.removed):
        return [_("Labels were added or removed, so the meaning changed.")]
    return []


def close_note(note):
    """A note that the codebook has answered; closing it twice is harmless."""
    CodebookNote.objects.filter(pk=note.pk, closed_at=None).update(closed_at=now())


def sample_texts(project, ids):
    """The texts of the project's samples with these ids of their source, without the context that
    may surround them: an example is what the label is about."""
    samples = Sample.objects.visible().filter(project=project, external_id__in=ids)
    rows = samples.select_related("sample_import").only(
        "external_id", "fields", "text", "sample_import__mapping"
    )
    return {sample.external_id: _without_context(sample) for sample in rows}


def _without_context(sample):
    mapping = mapping_from(sample.sample_import.mapping) if sample.sample_import else None
    if mapping is None:
        return sample.text
    main = [name for name, column in mapping.fields if column not in mapping.optional]
    return (
        "\n\n".join(sample.fields[name] for name in main if sample.fields.get(name)) or sample.text
    )
