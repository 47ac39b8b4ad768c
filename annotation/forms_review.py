"""What an annotator sends, checked against the edition of the round."""

from django import forms
from django.utils.translation import gettext as _

from annotation.actions.review import Answer
from annotation.models import Assignment
from annotation.task_types.base import UNSURE, BadAnswer, Rules, TaskType


class Slugs(forms.Field):
    """The labels that were chosen, as they are named in the page: none, one or several."""

    def __init__(self):
        super().__init__(required=False, widget=forms.MultipleHiddenInput)

    def clean(self, value):
        slugs = list(value or [])
        return [UNSURE] if UNSURE in slugs else slugs  # that button was pressed, ticks or not


class LeaseForm(forms.Form):
    """Which submission this is, and of which lease."""

    client_key = forms.UUIDField()
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False)


class AnswerForm(LeaseForm):
    slugs = Slugs()
    codebook = forms.IntegerField(required=False)
    seconds = forms.FloatField(min_value=0, max_value=86_400, required=False)
    flag = forms.BooleanField(required=False)
    comment = forms.CharField(max_length=4_000, required=False)

    def __init__(self, data, *, task: TaskType, rules: Rules, codebook_id: int):
        super().__init__(data)
        self.task, self.rules, self.codebook_id = task, rules, codebook_id

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("codebook") not in (None, self.codebook_id):
            raise forms.ValidationError(_("This answer follows another edition of the codebook."))
        try:
            cleaned["value"] = self.task.value(cleaned["slugs"], self.rules)
        except BadAnswer as error:
            raise forms.ValidationError(str(error)) from error
        return cleaned

    def answer(self) -> Answer:
        cleaned = self.cleaned_data
        return Answer(
            value=cleaned["value"],
            code=self.task.code(cleaned["value"]),
            client_key=cleaned["client_key"],
            version=cleaned["version"] or 0,
            seconds=cleaned["seconds"],
            flag=cleaned["flag"],
            comment=cleaned["comment"],
        )


class SkipForm(LeaseForm):
    reason = forms.ChoiceField(choices=Assignment.SkipReason)
    note = forms.CharField(max_length=500, required=False)
