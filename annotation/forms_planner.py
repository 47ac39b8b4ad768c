"""Which forecast is shown, for which intended round, and what an hour of people's work costs."""

from decimal import Decimal

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.forms_rounds import MOST_SEATS
from annotation.models import MachineAnnotator, Project
from annotation.reports.planner import Wish
from annotation.reports.scope import usual_machine
from synthlab.science.selection.base import Pool
from synthlab.science.selection.budget import budget, read

USUAL = {"budget": "15%", "audit": "5%", "overlap": "1", "target": "95"}
NOTHING = ("", "0", "0%")
DECIMAL = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"})


def amount(label, help_text):
    return forms.CharField(label=label, max_length=30, help_text=help_text, required=False)


class PlannerForm(forms.Form):
    """What is left out is as usual: the newest machine and edition, 15 % and an audit of 5 %."""

    machine = forms.ModelChoiceField(
        MachineAnnotator.objects.none(), label=_("Machine"), required=False, empty_label=None
    )
    edition = forms.TypedChoiceField(label=_("Edition"), coerce=int, required=False)
    budget = amount(_("Budget"), _("Samples (200) or a share (15%)."))
    audit = amount(_("Audit part"), _("Drawn by lot on top, to measure."))
    overlap = forms.IntegerField(label=_("People a sample"), min_value=1, max_value=MOST_SEATS)
    target = forms.DecimalField(
        label=_("Wanted, % right"), min_value=0, max_value=100, max_digits=6, widget=DECIMAL
    )
    seconds = forms.DecimalField(
        label=_("Seconds an answer"),
        required=False,
        min_value=Decimal("0.1"),
        max_value=86_400,
        widget=DECIMAL,
        help_text=_("Empty: as measured."),
    )
    wage = forms.DecimalField(
        label=_("Cost of an hour"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        widget=DECIMAL,
        help_text=_("Of one person, in any currency."),
    )

    def __init__(self, project: Project, sent: QueryDict):
        self.project, self.usual = project, project.edition()
        self.usual_machine = usual_machine(project) or project.machines.order_by("-pk").first()
        usual = USUAL | {
            "edition": self.usual.number if self.usual else "",
            "machine": self.usual_machine.pk if self.usual_machine else "",
        }
        given = {name: sent[name] for name in self.base_fields if sent.get(name)}
        super().__init__(usual | given)
        editions = project.codebooks.published().order_by("-number")
        self.fields["edition"].choices = [
            (book.number, gettext("Edition %(n)d") % {"n": book.number}) for book in editions
        ]
        self.fields["machine"].queryset = project.machines.order_by("-pk")
        self.fields["machine"].label_from_instance = lambda machine: machine.name

    def clean_budget(self):
        return self._amount("budget")

    def clean_audit(self):
        return self._amount("audit")

    def _amount(self, name):
        text = (self.cleaned_data[name] or "").strip()
        if text in NOTHING:
            return "0"
        try:
            stated = read(text)
            if "confidence_below" in stated:
                raise ValueError(
                    gettext("A forecast counts in samples or per cent: write 200 or 15%.")
                )
            budget(stated, Pool(size=1))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def chosen(self):
        """The machine and the edition; None for what the project has not or cannot be chosen."""
        self.is_valid()
        said = self.cleaned_data
        machine = said.get("machine") or self.usual_machine
        number = said.get("edition")
        published = self.project.codebooks.published()
        edition = published.filter(number=number).first() if number else self.usual
        return machine, edition

    def wish(self, free: int) -> Wish:
        """For a form that is valid, over so many samples that may still be drawn."""
        said = self.cleaned_data
        machine, edition = self.chosen()
        main, audit = (
            0 if said[name] == "0" or not free else budget(said[name], Pool(size=free))
            for name in ("budget", "audit")
        )
        audit = min(audit, free)
        return Wish(
            machine,
            edition,
            min(main, free - audit),
            audit,
            said["overlap"],
            float(said["target"]) / 100,
            None if said["seconds"] is None else float(said["seconds"]),
            None if said["wage"] is None else float(said["wage"]),
        )
