"""The questions by which samples are filtered, as a form."""

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.filters import NO_LABEL, SampleFilter
from annotation.models import Sample
from annotation.task_types.base import UNSURE

EITHER = {"yes": True, "no": False}


def probability(label):
    return forms.FloatField(
        label=label,
        required=False,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


def either(label, yes, no):
    """A question that may be left open."""
    return forms.ChoiceField(
        label=label, required=False, choices=[("", _("any")), ("yes", yes), ("no", no)]
    )


class SampleFilterForm(forms.Form):
    """A field for each part of a SampleFilter; `without` leaves some out."""

    text = forms.CharField(label=_("Text contains"), required=False, max_length=200)
    split = forms.ChoiceField(
        label=_("Split"), required=False, choices=[("", _("any")), *Sample.Split.choices]
    )
    reference = either(_("Reference label"), _("has one"), _("has none"))
    answered = either(_("Answers of people"), _("has some"), _("has none"))
    answer = forms.ChoiceField(label=_("Someone answered"), required=False)
    drawn = either(_("In a round"), _("in some round"), _("in none yet"))
    round = forms.ModelChoiceField(None, label=_("Round"), required=False, empty_label=_("any"))
    machine = forms.ModelChoiceField(
        None, label=_("Machine"), required=False, empty_label=_("none")
    )
    suggested = either(_("The machine"), _("has answered"), _("has not answered"))
    predicted = forms.ChoiceField(label=_("The machine says"), required=False)
    confidence_from = probability(_("Confidence from"))
    confidence_below = probability(_("Confidence below"))
    entropy_from = forms.FloatField(label=_("Entropy from"), required=False, min_value=0)
    entropy_below = forms.FloatField(label=_("Entropy below"), required=False, min_value=0)

    def __init__(self, project, data=None, without=(), **kwargs):
        super().__init__(data, **kwargs)
        for name in without:
            del self.fields[name]
        if "round" in self.fields:
            self.fields["round"].queryset = project.rounds.written().order_by("-pk")
            self.fields["round"].label_from_instance = lambda round_: round_.name
        if "machine" in self.fields:
            self.fields["machine"].queryset = project.machines.order_by("-pk")
            self.fields["machine"].label_from_instance = lambda machine: machine.name
        self.names = project.label_names()
        labels = [("", _("any")), *self.names.items(), (UNSURE, _("unsure"))]
        if project.task.multiple:
            labels.append((NO_LABEL, _("none of the labels")))
        for name in {"answer", "predicted"} & self.fields.keys():
            self.fields[name].choices = labels

    def filter(self):
        """What was asked; a field with an error asks nothing."""
        self.is_valid()
        said = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        for name in {"machine", "round"} & said.keys():
            said[name] = said[name].pk
        for name in {"reference", "answered", "drawn", "suggested"} & said.keys():
            said[name] = EITHER[said[name]]
        which = SampleFilter(**said)
        if which.lacks_machine and "machine" in self.fields:
            self.add_error("machine", _("Choose the machine that this is about."))
        return which


def in_words(which):
    """What a filter asks, as pairs of question and answer; its machine is for others to name."""
    said = []
    for name, value in which.stated().items():
        field = SampleFilterForm.base_fields[name]
        if name == "split":
            value = Sample.Split(value).label
        elif isinstance(value, bool):
            value = dict(field.choices)["yes" if value else "no"]
        if name != "machine":
            said.append((field.label, value))
    return said
