"""What a certificate should promise: by which machine and edition, how much, and how surely."""

from decimal import Decimal

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.models import MachineAnnotator, Project
from annotation.reports.certificate_audits import Asked
from annotation.reports.scope import scope_of, usual_edition, usual_machine

USUAL = {"error": "5", "confidence": "95"}  # per cent


def share(label, low, high, slider=""):
    """A number of per cent; with `slider` ("low high step") a slider stands under it."""
    return forms.DecimalField(
        label=label,
        min_value=low,
        max_value=high,
        max_digits=6,
        decimal_places=3,
        widget=forms.NumberInput(
            attrs={"step": "any", "inputmode": "decimal"}
            | ({"data-slider": slider} if slider else {})
        ),
    )


class CertificateForm(forms.Form):
    """What is left out is as usual; shares are asked for in per cent."""

    machine = forms.ModelChoiceField(
        MachineAnnotator.objects.none(), label=_("Machine"), required=False, empty_label=None
    )
    edition = forms.TypedChoiceField(label=_("Edition"), coerce=int, required=False)
    error = share(_("At most wrong, %"), 0, 50, slider="0.5 20 0.5")
    confidence = share(_("With confidence, %"), 50, Decimal("99.9"))

    def __init__(self, project: Project, sent: QueryDict):
        self.project, self.usual = project, usual_edition(project)
        machine = usual_machine(project)
        usual = USUAL | {
            "edition": self.usual.number if self.usual else "",
            "machine": machine.pk if machine else "",
        }
        super().__init__(usual | {name: sent[name] for name in usual if sent.get(name)})
        editions = project.codebooks.published().order_by("-number")
        self.fields["edition"].choices = [
            (book.number, gettext("Edition %(n)d") % {"n": book.number}) for book in editions
        ]
        machines = project.machines.standing().order_by("-pk")
        self.fields["machine"].queryset = machines
        self.fields["machine"].label_from_instance = lambda machine: machine.name

    def asked(self) -> Asked | None:
        """None where no edition is published or something was asked that cannot be."""
        if self.usual is None or not self.is_valid():
            return None
        said = self.cleaned_data
        published = self.project.codebooks.published()
        edition = published.filter(number=said["edition"] or self.usual.number).first()
        scope = scope_of(self.project, edition, [], said["machine"])
        return Asked(scope, float(said["error"]) / 100, float(said["confidence"]) / 100)
