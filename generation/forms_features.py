"""Where a project's vectors come from, as a form."""

from django import forms
from django.utils.translation import gettext_lazy as _

from generation.forms import CapForm, connection_words
from generation.models import Connection
from generation.reports_vectors import LONGEST


class EmbeddingForm(CapForm):
    """Which model the vectors are bought from. The connection's model has to be one for them."""

    connection = forms.ModelChoiceField(
        Connection.objects.none(),
        label=_("Connection"),
        help_text=_("Its model must be an embedding model."),
    )
    longest = forms.IntegerField(
        label=_("Characters of each text, at most"),
        min_value=100,
        max_value=100_000,
        initial=LONGEST,
        help_text=_("Longer texts are cut. Models with a short context need less, such as 1500."),
    )

    field_order = ["connection", "longest"]

    def __init__(self, *args, connections, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["connection"].queryset = connections
        self.fields["connection"].label_from_instance = connection_words
        self.fields["connection"].initial = connections.first()
