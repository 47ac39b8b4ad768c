"""What is asked in the codebook lab: splits to lock, machines to compare, gains to find."""

import secrets

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.actions.splits import LARGEST, SPLITS
from annotation.models import Codebook, MachineAnnotator, Project, Sample
from annotation.reports.lab import ASSUMED, BROKEN, FIXED, KEPT, MISSED, OTHERWISE, SILENT, WAITING

FEWEST, MOST = 0.1, 100.0
CHANGED = "changes"  # everything that reads otherwise now
KINDS = {
    CHANGED: (_("fixed, broken or changed"), (FIXED, BROKEN, OTHERWISE)),
    FIXED: (_("fixed"), (FIXED,)),
    BROKEN: (_("broken"), (BROKEN,)),
    OTHERWISE: (_("wrong, now with another label"), (OTHERWISE,)),
    MISSED: (_("wrong as before"), (MISSED,)),
    KEPT: (_("right as before"), (KEPT,)),
    WAITING: (_("without an answer of people"), (WAITING,)),
    SILENT: (_("one machine is silent"), (SILENT,)),
}


class SplitForm(forms.Form):
    """Lock a split: draw it by lot, or keep what came with it (`came` samples)."""

    split = forms.ChoiceField(
        choices=[(split.value, split.label) for split in SPLITS], widget=forms.HiddenInput
    )
    size = forms.IntegerField(
        label=_("Samples, drawn by lot"), min_value=1, max_value=LARGEST, initial=200
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=2**62,
        help_text=_("The same seed over the same samples draws the same split."),
    )

    def __init__(self, split: str, came: int, data: QueryDict | None = None):
        initial = {"split": split, "seed": secrets.randbelow(10**6)}
        super().__init__(data, initial=initial, prefix=split)
        if came:
            del self.fields["size"], self.fields["seed"]


class PairForm(forms.Form):
    """Two machines on one split, by whose answers; and which of its samples are listed."""

    first = forms.ModelChoiceField(
        MachineAnnotator.objects.none(), label=_("Before"), empty_label=None
    )
    second = forms.ModelChoiceField(
        MachineAnnotator.objects.none(), label=_("After"), empty_label=None
    )
    split = forms.ChoiceField(choices=[(s.value, s.label) for s in SPLITS], label=_("Split"))
    edition = forms.TypedChoiceField(
        label=_("People’s answers read by"), coerce=int, empty_value=None, required=False
    )
    kind = forms.ChoiceField(
        label=_("Show"), choices=[(name, words) for name, (words, _kinds) in KINDS.items()]
    )
    label = forms.ChoiceField(label=_("People said"), required=False)

    def __init__(self, project: Project, machines: list[MachineAnnotator], sent: QueryDict):
        """`machines` have said something of a split, the newest first. What is left out is as
        usual: the newest machine of a published edition, and the newest other one."""
        standing = [machine for machine in machines if machine.codebook.is_published]
        first = next(iter(standing or machines), None)
        second = next((machine for machine in machines if machine != first), first)
        usual = {
            "first": first.pk if first else "",
            "second": second.pk if second else "",
            "split": Sample.Split.DEV.value,
            "kind": CHANGED,
        }
        super().__init__(usual | {name: sent[name] for name in sent if sent[name]})
        offered = MachineAnnotator.objects.filter(pk__in=[machine.pk for machine in machines])
        for name in ("first", "second"):
            self.fields[name].queryset = offered.select_related("codebook").order_by("-pk")
            self.fields[name].label_from_instance = machine_words
        editions = project.codebooks.published().order_by("-number")
        self.fields["edition"].choices = [
            ("", gettext("the usual edition")),
            *((book.pk, gettext("Edition %(n)d") % {"n": book.number}) for book in editions),
        ]
        names = project.label_names()
        self.fields["label"].choices = [("", _("anything")), *names.items()]

    def clean(self):
        said = super().clean()
        if said.get("first") and said.get("first") == said.get("second"):
            self.add_error("second", _("Choose another machine: one is as good as itself."))
        return said

    def judge(self) -> Codebook | None:
        """The edition that was chosen to read people's answers by, if any."""
        pk = self.cleaned_data.get("edition")
        return Codebook.objects.published().filter(pk=pk).first() if pk else None

    def kinds(self):
        return KINDS[self.cleaned_data["kind"]][1]


def machine_words(machine: MachineAnnotator) -> str:
    """Its name, and whether it followed a draft only."""
    return f"{machine.name} ({gettext('trial')})" if machine.codebook.is_trial else machine.name


class PowerForm(forms.Form):
    """A gain worth finding, and how often two machines differ in being right."""

    points = forms.FloatField(
        label=_("Gain worth finding, in points"), min_value=FEWEST, max_value=MOST
    )
    apart = forms.FloatField(
        label=_("Samples on which only one is right, in per cent"),
        min_value=FEWEST,
        max_value=MOST,
        help_text=_("What a first comparison shows; before it, an assumption."),
    )

    def __init__(self, sent: QueryDict, observed: float | None = None):
        apart = round(100 * (ASSUMED if observed is None else max(observed, 0.001)), 1)
        usual = {"points": 5, "apart": apart}
        super().__init__(usual | {name: sent[name] for name in usual if sent.get(name)})
