"""What is compared on the agreement page, and a note for the codebook."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.arrays_codes import Scope
from annotation.forms import RowsField
from annotation.models import MachineAnnotator, Project, Round
from annotation.reports.scope import rounds_under, scope_of, usual_edition, usual_machine


class RoundsField(RowsField):
    def label_from_instance(self, round_):
        return round_.name


class ScopeForm(forms.Form):
    """Which edition, machine and rounds; what is left out, or is not there, is as usual."""

    edition = forms.TypedChoiceField(label=_("Edition"), coerce=int, required=False)
    machine = forms.ModelChoiceField(
        MachineAnnotator.objects.none(), label=_("Machine"), required=False, empty_label=None
    )
    round = RoundsField(Round.objects.none(), label=_("Rounds"), required=False)

    def __init__(self, project: Project, sent: QueryDict):
        self.project = project
        super().__init__(sent)
        editions = project.codebooks.published().order_by("-number")
        self.fields["edition"].choices = [
            (book.number, gettext("Edition %(n)d") % {"n": book.number}) for book in editions
        ]
        machines = project.machines.standing().order_by("-pk")
        self.fields["machine"].queryset = machines
        self.fields["machine"].label_from_instance = lambda machine: machine.name
        self.fields["round"].queryset = project.rounds.begun().order_by("pk")

    def scope(self) -> Scope | None:
        """None where no edition is published. Rounds of another edition are left out."""
        self.is_valid()
        chosen = self.cleaned_data
        number = chosen.get("edition")
        published = self.project.codebooks.published()
        edition = published.filter(number=number).first() if number else usual_edition(self.project)
        if edition is None:
            return None
        offered = rounds_under(edition)
        wanted = {round_.pk for round_ in chosen.get("round") or ()}
        rounds = [round_ for round_ in offered if round_.pk in wanted] or offered
        self._offer(edition, offered, rounds)
        machine = chosen.get("machine") or usual_machine(self.project)
        self.data["machine"] = machine.pk if machine else ""
        return scope_of(self.project, edition, rounds, machine)

    def _offer(self, edition, offered, rounds):
        """Show what is compared as what is chosen."""
        self.fields["round"].choices = [(round_.pk, round_.name) for round_ in offered]
        self.data = self.data.copy()
        self.data["edition"] = edition.number
        self.data.setlist("round", [str(round_.pk) for round_ in rounds])

    def query(self, scope: Scope) -> str:
        """The address of this scope and no other."""
        said = QueryDict(mutable=True)
        said["edition"] = scope.edition.number
        if scope.machine:
            said["machine"] = scope.machine.pk
        said.setlist("round", [round_.pk for round_ in scope.rounds])
        return said.urlencode()


class NoteForm(forms.Form):
    """What the next draft of the codebook should answer."""

    label = forms.ChoiceField(label=_("About"), required=False)
    text = forms.CharField(
        label=_("What is unclear, and what should the rule say?"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, scope: Scope, *args, **kwargs):
        super().__init__(*args, **kwargs)
        labels = [(label.slug, label.name) for label in scope.labels]
        self.fields["label"].choices = [("", _("the codebook as a whole")), *labels]
