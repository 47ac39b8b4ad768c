"""Which machine shall label a split by another edition, checked."""

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.models import MachineAnnotator, Sample
from generation.forms import CapForm, connection_words
from generation.models import Connection


class EditionRunForm(CapForm):
    """A machine asked in the way of another one, `like`; what is left out is as usual."""

    like = forms.ModelChoiceField(
        MachineAnnotator.objects.none(),
        label=_("Asked in the way of"),
        empty_label=None,
        help_text=_("Same model, technique and options, so that only the rules differ."),
    )
    connection = forms.ModelChoiceField(
        Connection.objects.none(), label=_("Connection"), empty_label=None
    )
    split = forms.ChoiceField(choices=Sample.Split.choices, label=_("Split"))

    field_order = ["like", "connection", "split"]

    def __init__(self, project, connections, sent, data=None):
        """`sent` is what the address names; `data` what was posted."""
        given = sent if data is None else data
        machines = project.machines.filter(kind=MachineAnnotator.Kind.LLM).order_by("-pk")
        like = _chosen(machines, given.get("like")) or _usual(machines)
        if like is not None:
            connections = connections.filter(base_url=like.endpoint, model=like.model)
        connection = _chosen(connections, given.get("connection")) or connections.last()
        split = given.get("split")
        initial = {
            "like": like,
            "connection": connection,
            "split": split if split in Sample.Split.values else Sample.Split.DEV,
        }
        super().__init__(data, initial=initial)
        self.fields["like"].queryset = machines
        self.fields["like"].label_from_instance = lambda machine: machine.name
        self.fields["connection"].queryset = connections
        self.fields["connection"].label_from_instance = connection_words

    def choice(self):
        """The machine, connection and split that the page is about."""
        return tuple(self.initial[name] for name in ("like", "connection", "split"))


def _chosen(rows, text):
    return rows.filter(pk=text).first() if text and text.isdecimal() and len(text) < 19 else None


def _usual(machines):
    return machines.standing().first() or machines.first()
