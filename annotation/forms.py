"""What people type, checked."""

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.utils.translation import gettext_lazy as _

from annotation import task_types
from annotation.access import id_in
from annotation.models import Membership, Project, User


class RowsField(forms.ModelMultipleChoiceField):
    """Some rows, as boxes to tick. Django would ask the database for a number of any size."""

    widget = forms.CheckboxSelectMultiple

    def clean(self, value):
        for pk in value or ():
            if id_in(pk) is None:
                message = self.error_messages["invalid_pk_value"]
                raise forms.ValidationError(message, "invalid_pk_value", {"pk": pk})
        return super().clean(value)


class AccountForm(UserCreationForm):
    """A new account, made from an invitation."""

    class Meta:
        model = User
        fields = ["username"]


class ProjectForm(forms.ModelForm):
    task_type = forms.ChoiceField(
        label=_("Task type"),
        choices=task_types.choices,
        initial="single_label",
        widget=forms.RadioSelect,
        help_text=_("What annotators answer. It cannot be changed later."),
    )
    language = forms.RegexField(
        r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        max_length=20,
        initial="en",
        label=_("Language"),
        help_text=_("Language tag of the samples, such as en, zh, ko or ar."),
        error_messages={"invalid": _("Enter a language tag, such as en or pt-BR.")},
    )

    class Meta:
        model = Project
        fields = ["name", "task_type", "language", "description"]
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}


class InvitationForm(forms.Form):
    role = forms.ChoiceField(
        choices=Membership.Role, initial=Membership.Role.ANNOTATOR, label=_("Role")
    )
    note = forms.CharField(
        max_length=200, required=False, label=_("For whom"), help_text=_("Only managers see it.")
    )
