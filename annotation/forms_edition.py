"""Publishing an edition of a codebook, and bringing one in from a file."""

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.models import Codebook


class PublishForm(forms.Form):
    """What kind of change the edition is, and what answers with a removed label mean now."""

    change = forms.ChoiceField(
        label=_("What changed?"),
        choices=[(x.value, x.label) for x in Codebook.Change if x != Codebook.Change.FIRST],
        widget=forms.RadioSelect,
        help_text=_("Answers under an edition with another meaning are never mixed unawares."),
    )
    change_note = forms.CharField(
        required=False,
        max_length=2000,
        label=_("What should people know?"),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("Annotators read it beside the differences."),
    )

    def __init__(self, data, found):
        super().__init__(data)
        self.removed = found.removed
        if found.changes is None:
            del self.fields["change"]
        for index, gone in enumerate(found.removed):
            self.fields[f"removed-{index}"] = forms.ChoiceField(
                required=bool(gone.answers),
                label=_("“%(name)s” becomes") % {"name": gone.label.name},
                choices=[
                    ("", _("Choose …") if gone.answers else _("No label")),
                    *((f"to:{label.slug}", label.name) for label in found.rules.labels),
                    *([("none", _("No label: these answers stay with their edition"))]),
                ],
            )

        self.order_fields([name for name in self.fields if name.startswith("removed-")])

    def mapping(self):
        """The removed labels that were mapped, to a label or to None."""
        chosen = {
            gone.label.slug: self.cleaned_data[f"removed-{index}"]
            for index, gone in enumerate(self.removed)
        }
        return {
            slug: target.removeprefix("to:") if target != "none" else None
            for slug, target in chosen.items()
            if target
        }


class CodebookImportForm(forms.Form):
    """A file, or its text pasted."""

    file = forms.FileField(
        required=False,
        label=_("File"),
        help_text=_("JSON or Markdown, as exported here or as published beside a data set."),
        widget=forms.FileInput(attrs={"accept": ".json,.md,.markdown,.txt"}),
    )
    text = forms.CharField(
        required=False,
        label=_("Or paste it"),
        widget=forms.Textarea(attrs={"rows": 10, "dir": "auto"}),
    )
    replace = forms.BooleanField(
        required=False, label=_("Replace the draft"), help_text=_("The draft is not empty.")
    )

    def __init__(self, data, files, draft_is_empty):
        super().__init__(data, files)
        if draft_is_empty:
            del self.fields["replace"]
        else:
            self.fields["replace"].required = True

    def content(self):
        """The bytes to be read: the file's before the pasted ones."""
        if file := self.cleaned_data["file"]:
            return file.read()
        return self.cleaned_data["text"].encode("utf-8", "replace")

    def clean(self):
        if not self.cleaned_data.get("file") and not self.cleaned_data.get("text"):
            self.add_error("file", _("Choose a file or paste its text."))
        return self.cleaned_data
