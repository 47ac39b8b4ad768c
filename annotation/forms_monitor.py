"""When a round may be judged: at its end, or at any time against one target."""

from django import forms
from django.utils.translation import gettext_lazy as _

AT_END, ANYTIME = "end", "anytime"
USUAL = {"judged": AT_END, "target": 0.9, "alpha": 0.05}


def share(label, help_text):
    """A number strictly between 0 and 1; left empty it is as usual."""
    return forms.FloatField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


class MonitorForm(forms.Form):
    """Chosen before anyone answers. Who peeks at intervals and stops when they look good is
    misled; a monitor may be looked at after every answer."""

    judged = forms.ChoiceField(
        label=_("When it may be judged"),
        required=False,
        choices=[
            (AT_END, _("At its end: a fixed number of answers, one look")),
            (ANYTIME, _("At any time: a monitor against one target")),
        ],
        widget=forms.RadioSelect,
    )
    target = share(
        _("Target"),
        _(
            "The monitor gathers evidence that people agree with more than this share of the"
            " machine's labels, such as 0.9."
        ),
    )
    alpha = share(
        _("Risk of a false alarm"),
        _("How often a machine that misses the target may be taken for one that reaches it."),
    )

    def clean(self):
        said = super().clean()
        if said.get("judged") == ANYTIME:
            for name in ("target", "alpha"):
                self._check(name, said.get(name))
        return said

    def _check(self, name, value):
        if name not in self.errors and value is not None and not 0 < value < 1:
            words = _("A number between 0 and 1, such as %(usual)s.") % {"usual": USUAL[name]}
            self.add_error(name, words)

    def monitor(self):
        """As Round.monitor holds it: null is at the end."""
        said = self.cleaned_data
        if said.get("judged") != ANYTIME:
            return None
        return {name: said[name] or USUAL[name] for name in ("target", "alpha")}


def usual(monitor=None):
    """What the form starts with, or what was chosen when the round was drawn."""
    return USUAL | ({"judged": ANYTIME, **monitor} if monitor else {})
