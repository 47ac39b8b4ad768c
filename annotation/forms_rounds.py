"""The forms around rounds: designing one, the routing policy, who works in it, settling."""

import secrets
import uuid
from contextlib import suppress

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.actions.draws import Design
from annotation.actions.rounds import default_annotators
from annotation.arrays_strata import meta_keys
from annotation.forms import RowsField
from annotation.forms_monitor import MonitorForm, usual
from annotation.forms_samples import SampleFilterForm, probability
from annotation.models import Round, Sample, User
from annotation.task_types.base import UNSURE, BadAnswer
from synthlab.science.selection import STRATEGIES
from synthlab.science.selection import choices as strategies
from synthlab.science.selection.budget import read
from synthlab.science.selection.options import options_of

MOST_SEATS = 20
# What a link may fill in: other pages propose rounds.
WISHES = ("strategy", "budget", "audit", "purpose", "machine", "codebook", "overlap", "judged")
NOT_IN_FRAMES = ("machine", "round", "answer", "suggested", "entropy_from", "entropy_below")


class PeopleField(RowsField):
    def label_from_instance(self, user):
        return user.get_username()


class MachineField(forms.ModelChoiceField):
    def label_from_instance(self, machine):
        return machine.name


class EditionField(forms.ModelChoiceField):
    def label_from_instance(self, codebook):
        return gettext("Edition %(n)d") % {"n": codebook.number}


def amount(text):
    """A budget as people write it, or nothing."""
    if text and text not in ("0", "0%"):
        try:
            read(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
    return text


def option_field(option, project):
    """The field of a strategy's option; left empty it has its default."""
    words = {"label": option.label, "help_text": option.help, "initial": option.default}
    if option.kind is str:
        keys = [("", _("none")), *((key, key) for key in meta_keys(project))]
        choices = keys if option.open else option.choices
        return forms.ChoiceField(choices=choices, required=False, **words)
    kind = forms.FloatField if option.kind is float else forms.IntegerField
    return kind(min_value=option.least, max_value=option.most, required=False, **words)


def _split(wished):
    """The split that a link proposes, else the pool."""
    return wished["split"] if wished.get("split") in Sample.Split.values else Sample.Split.POOL


class RoundForm(MonitorForm):
    """The design of a round; `frame` is the form of its filter. It has the options of the chosen
    strategy only."""

    name = forms.CharField(label=_("Name"), max_length=200)
    purpose = forms.ChoiceField(label=_("Purpose"), choices=Round.Purpose)
    codebook = EditionField(None, label=_("Codebook"), empty_label=None)
    strategy = forms.ChoiceField(
        label=_("Strategy"), choices=strategies, help_text=_("Which samples people should see.")
    )
    machine = MachineField(
        None,
        label=_("Machine"),
        required=False,
        empty_label=_("none"),
        help_text=_("Whose doubt decides, and whose suggestion is shown after the answer."),
    )
    budget = forms.CharField(
        label=_("Budget"),
        max_length=30,
        help_text=_("Samples (200), a share (15%) or a threshold (confidence<0.8)."),
    )
    audit = forms.CharField(
        label=_("Audit part"),
        required=False,
        max_length=30,
        help_text=_("Drawn by lot on top, so that figures about the whole set can be measured."),
    )
    overlap = forms.IntegerField(label=_("People a sample"), min_value=1, max_value=MOST_SEATS)
    blind = forms.BooleanField(
        label=_("Blind: people answer before they see the suggestion"),
        required=False,
        help_text=_("Only blind answers measure how good the machine is."),
    )
    annotators = PeopleField(None, label=_("Annotators"))
    rerank_every = forms.IntegerField(
        label=_("Order anew after so many answers"),
        required=False,
        min_value=10,
        max_value=100_000,
        help_text=_(
            "A student learns from the answers where the machine is wrong; open seats where it is "
            "likely come next. The audit part keeps its places. Empty: the order stays."
        ),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=2**62,
        help_text=_("The same seed over the same samples draws the same round."),
    )
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, project, data=None, wished=None):
        self.machines = project.machines.standing().order_by("-pk")
        super().__init__(data, initial=self._suggested(project) if data is None else None)
        self.fields["codebook"].queryset = project.codebooks.published().order_by("-number")
        self.fields["machine"].queryset = self.machines
        members = User.objects.filter(memberships__project=project).order_by("username")
        self.fields["annotators"].queryset = members
        self.frame = SampleFilterForm(
            project,
            data,
            without=NOT_IN_FRAMES,
            prefix="frame",
            initial={"split": _split(wished or {}), "drawn": "no"},
        )
        if data is None:
            self.initial |= self._possible(wished or {})
        self.option_names = self._add_options(project)

    def _add_options(self, project):
        """Fields for the options of the strategy that is chosen; their names."""
        chosen = self["strategy"].value()
        self._options = options_of(STRATEGIES[chosen]) if chosen in STRATEGIES else []
        named = {f"option_{option.name}": option for option in self._options}
        self.fields |= {name: option_field(option, project) for name, option in named.items()}
        if self.is_bound:  # another strategy was chosen: its options are not in what was sent yet
            self.data = self.data.copy()
            for name, option in named.items():
                self.data.setdefault(name, option.default)
        return list(named)

    def options(self):
        """Their bound fields."""
        return [self[name] for name in self.option_names]

    def chosen_options(self):
        """The options as they were typed, and the defaults of those that were left empty."""
        typed = {
            option.name: self.cleaned_data[f"option_{option.name}"] for option in self._options
        }
        return {
            option.name: option.default if typed[option.name] in (None, "") else typed[option.name]
            for option in self._options
        }

    def _possible(self, wished):
        """Those of the wishes that the form would take; the others stay as suggested."""
        possible = {}
        for name in WISHES:
            if name in wished:
                with suppress(forms.ValidationError):
                    value = self.fields[name].clean(wished[name])
                    possible[name] = amount(value) if name in ("budget", "audit") else value
        return possible

    def _suggested(self, project):
        machine = self.machines.asked().first()
        return {
            "name": gettext("Round %(n)d") % {"n": project.rounds.count() + 1},
            "purpose": Round.Purpose.REVIEW,
            "codebook": project.edition(),
            "strategy": "least_confidence" if machine else "uniform",
            "machine": machine,
            "budget": "15%",
            "audit": "5%" if machine else "",
            "overlap": 1,
            "blind": True,
            "annotators": default_annotators(project),
            "seed": secrets.randbelow(10**6),
            "key": uuid.uuid4(),
            **usual(),
        }

    def is_valid(self):
        return all([super().is_valid(), self.frame.is_valid()])

    def clean_budget(self):
        return amount(self.cleaned_data["budget"])

    def clean_audit(self):
        return amount(self.cleaned_data["audit"])

    def design(self):
        asked = self.base_fields.keys() - MonitorForm.base_fields.keys()
        said = {name: self.cleaned_data[name] for name in asked} | {"monitor": self.monitor()}
        said |= {"annotators": tuple(said["annotators"]), "options": self.chosen_options()}
        said |= {"look": "look" in self.data, "rerank_every": said["rerank_every"] or 0}
        return Design(which=self.frame.filter(), **said)


class PolicyForm(forms.Form):
    """When a label run ends, what is less sure goes to the machine's review queue."""

    route_below = probability(_("Confidence below"))
    route_overlap = forms.IntegerField(
        label=_("People a sample"), min_value=1, max_value=MOST_SEATS
    )
    machine = MachineField(
        None,
        label=_("Apply now to the answers of"),
        required=False,
        empty_label=_("no machine: wait for the next run"),
    )

    def __init__(self, project, data=None):
        policy = {"route_below": project.route_below, "route_overlap": project.route_overlap}
        super().__init__(data, initial=policy, prefix="policy")
        self.fields["route_below"].help_text = _("Empty: nothing is routed by itself.")
        self.fields["machine"].queryset = project.machines.standing().order_by("-pk")

    def clean_route_below(self):
        if self.cleaned_data["route_below"] == 0:
            raise forms.ValidationError(_("No confidence lies below 0: leave it empty instead."))
        return self.cleaned_data["route_below"]


class AnnotatorsForm(forms.Form):
    """Members who are not yet asked to work in a round."""

    annotators = PeopleField(None, label=_("Ask more people"))

    def __init__(self, round_, data=None):
        super().__init__(data)
        members = User.objects.filter(memberships__project=round_.project)
        asked = round_.seats.values("user")
        self.fields["annotators"].queryset = members.exclude(pk__in=asked).order_by("username")


class AdjudicationForm(forms.Form):
    """The settled answer: labels of the round's edition, also ones that nobody chose."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Which rule decides? People read this when they ask why."),
    )
    item = forms.IntegerField(widget=forms.HiddenInput)
    # The adjudication that the page showed as current; none if it showed none.
    over = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, task, rules, data=None, **kwargs):
        super().__init__(data, **kwargs)
        self.task, self.rules = task, rules
        labels = [(label.slug, label.name) for label in rules.labels]
        if rules.unsure:
            labels.append((UNSURE, _("unsure")))
        if task.multiple:
            answer = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, required=False)
        else:
            answer = forms.ChoiceField(widget=forms.RadioSelect)
        answer.label, answer.choices = _("The settled answer"), labels
        self.fields = {"answer": answer, **self.fields}

    def clean_answer(self):
        chosen = self.cleaned_data["answer"]
        try:
            return self.task.value(chosen if self.task.multiple else [chosen], self.rules)
        except BadAnswer as error:
            raise forms.ValidationError(str(error)) from error
