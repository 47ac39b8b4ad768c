"""What to export, as a form."""

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.exports.wanted import Wanted
from annotation.models import Release, Sample


class ReleaseForm(forms.Form):
    format = forms.ChoiceField(
        label=_("Format"), choices=Release.Format, widget=forms.RadioSelect, initial="jsonl"
    )
    only_final = forms.BooleanField(label=_("Only samples that have a final label"), required=False)
    split = forms.ChoiceField(
        label=_("Split"), required=False, choices=[("", _("all")), *Sample.Split.choices]
    )
    origin = forms.ChoiceField(
        label=_("Origin"), required=False, choices=[("", _("all")), *Sample.Origin.choices]
    )
    machine = forms.ModelChoiceField(
        None,
        label=_("Suggestions of"),
        required=False,
        empty_label=_("the newest machine that has any"),
    )
    corrected = forms.BooleanField(
        label=_("Release corrected labels"),
        required=False,
        initial=True,
        help_text=_(
            "Where a student, taught by people’s answers, gave another label than the machine: its "
            "source is then “corrected”. Otherwise the machine’s own label is released."
        ),
    )
    raw = forms.BooleanField(
        label=_("CSV: leave cells as they are"),
        required=False,
        help_text=_(
            "Otherwise an apostrophe stands before a cell that a spreadsheet would run as a "
            "formula. Leave it off if anyone opens the file in a spreadsheet."
        ),
    )
    names = forms.BooleanField(
        label=_("Real user names in place of pseudonyms"),
        required=False,
        help_text=_(
            "Whoever has the file then sees who answered what, and how fast. Have you told them?"
        ),
    )

    def __init__(self, project, data=None):
        super().__init__(data)
        self.fields["machine"].queryset = project.machines.standing().order_by("-pk")
        self.fields["machine"].label_from_instance = lambda machine: machine.name

    def wanted(self) -> Wanted:
        chosen = {**self.cleaned_data}
        machine = chosen.pop("machine")
        return Wanted(machine=machine.pk if machine else None, **chosen)
