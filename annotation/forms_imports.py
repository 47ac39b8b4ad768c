"""The forms of an import: the file, how it is read, what its columns are, what becomes of it."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.actions.imports import EDITED, too_big
from annotation.imports.mapping import Mapping, mapping_from

SEEN = 3  # values of a column that its row shows
ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-1", "cp1250", "cp1251", "cp1253"),
    *("cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "gb18030", "big5", "shift_jis"),
    *("euc_jp", "cp949", "euc_kr"),
)
DELIMITERS = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("vertical bar")}
FORMATS = {
    "csv": "CSV",
    "tsv": "TSV",
    "json": "JSON",
    "jsonl": "JSONL",
    "parquet": "Parquet",
    "xlsx": "XLSX",
}
YES, NO = "yes", "no"


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,  # the reader says what to do about one
        help_text=_("CSV, TSV, JSON, JSONL, Parquet or XLSX, also compressed with gzip."),
    )

    def __init__(self, data=None, files=None, is_over=False):
        super().__init__(data, files)
        if is_over:
            self.fields["file"].error_messages["required"] = too_big()


class ReadingForm(forms.Form):
    """How the file is read; only what its format knows, as it was found out."""

    format = forms.ChoiceField(label=_("Format"), choices=FORMATS)
    encoding = forms.ChoiceField(label=_("Encoding"))
    delimiter = forms.ChoiceField(label=_("Columns are separated by"))
    quoting = forms.ChoiceField(
        label=_("Double quotes"),
        choices=[(YES, _("enclose cells")), (NO, _("are part of the text"))],
    )
    header = forms.ChoiceField(
        label=_("The first row"),
        choices=[(YES, _("names the columns")), (NO, _("is a sample like the others"))],
    )
    sheet = forms.ChoiceField(label=_("Sheet"))
    records = forms.CharField(
        label=_("Where the list of samples is"),
        required=False,
        help_text=_("The keys that lead to it, such as data.items; empty for the top."),
    )

    def __init__(self, sample_import, data=None):
        found = sample_import.preview.get("detection") or dict.fromkeys(EDITED)
        super().__init__(data, initial={name: _shown(found[name]) for name in EDITED})
        said = sample_import.options
        known = {name for name in EDITED if found[name] is not None or name in said}
        for name in set(EDITED) - known - {"format"}:
            del self.fields[name]
        self.found = found
        self._offer("encoding", {name: name for name in ENCODINGS})
        self._offer("delimiter", DELIMITERS)
        self._offer("sheet", dict.fromkeys(sample_import.preview.get("sheets", ())))
        for name, value in said.items():
            if found[name] is None:
                self.initial[name] = _shown(value)
        if found["format"] is None and "format" not in said:
            self.fields["format"].choices = [("", _("find out")), *FORMATS.items()]
            self.fields["format"].required = False

    def _offer(self, name, choices):
        """The usual values, and the one that was found."""
        if name in self.fields:
            if self.found[name] and self.found[name] not in choices:
                choices = {self.found[name]: self.found[name], **choices}
            self.fields[name].choices = [(key, word or key) for key, word in choices.items()]

    def options(self):
        """What to say to the reader. Another format is found out about afresh."""
        said = self.cleaned_data
        if said["format"] != (self.found["format"] or said["format"]):
            return {"format": said["format"]}
        options = {name: value for name, value in said.items() if value != "" or name == "records"}
        for name in {"header", "quoting"} & options.keys():
            options[name] = options[name] == YES
        return options


def _shown(value):
    return {True: YES, False: NO}.get(value, value) if isinstance(value, bool) else value


class MappingForm(forms.Form):
    """One role for each column, by its number: names of columns are anything."""

    META, LEAVE, ID, TEXT, REFERENCE, SPLIT = "meta", "leave", "id", "text", "reference", "split"
    ROLES = (
        (TEXT, _("text")),
        (ID, _("id")),
        (REFERENCE, _("reference label")),
        (SPLIT, _("split")),
        (META, _("meta")),
        (LEAVE, _("leave out")),
    )
    ONCE = {
        ID: _("Only one column can be the id."),
        REFERENCE: _("Only one column can be the reference label."),
        SPLIT: _("Only one column can be the split."),
    }
    separator = forms.CharField(
        label=_("Several labels in one cell are separated by"), required=False, max_length=5
    )

    def __init__(self, sample_import, data=None):
        super().__init__(data)
        self.columns = sample_import.preview.get("columns", [])
        self.shown = sample_import.preview.get("rows", [])
        self.mapping = mapping_from(sample_import.mapping)
        self.initial["separator"] = self.mapping.separator or ""
        if not sample_import.project.task.multiple:
            del self.fields["separator"]
        for number, column in enumerate(self.columns):
            self._add(number, column)

    def _add(self, number, column):
        role = forms.ChoiceField(choices=self.ROLES, initial=self._role(column))
        role.widget.attrs["aria-label"] = gettext("Role of “%(column)s”") % {"column": column}
        place = forms.IntegerField(required=False, min_value=1, max_value=999)
        place.widget.attrs["aria-label"] = gettext("Place of “%(column)s”") % {"column": column}
        if column in self.mapping.text:
            place.initial = self.mapping.text.index(column) + 1
        empty = forms.BooleanField(
            required=False, label=_("may be empty"), initial=column in self.mapping.optional
        )
        self.fields |= {f"role{number}": role, f"place{number}": place, f"empty{number}": empty}

    def _role(self, column):
        mapping = self.mapping
        if column in mapping.text:
            return self.TEXT
        for role in self.ONCE:
            if getattr(mapping, role) == column:
                return role
        return self.META if mapping.meta is None or column in mapping.meta else self.LEAVE

    def rows(self):
        """What stands in each column, and its fields."""
        for number, column in enumerate(self.columns):
            values = (cells[number] for _number, cells in self.shown)
            seen = [value for value in values if value not in (None, "")][:SEEN]
            names = (f"role{number}", f"place{number}", f"empty{number}")
            role, place, empty = (self[name] for name in names)
            yield {"column": column, "seen": seen, "role": role, "place": place, "empty": empty}

    def clean(self):
        given = self._given()
        for role, message in self.ONCE.items():
            if given.count(role) > 1:
                self.add_error(None, message)
        if self.TEXT not in given:
            self.add_error(None, _("Choose at least one column as text."))
        return self.cleaned_data

    def _given(self):
        return [self.cleaned_data.get(f"role{number}") for number in range(len(self.columns))]

    def chosen(self):
        """The mapping that was posted."""
        roles = dict(zip(self.columns, self._given(), strict=True))
        numbers = {column: number for number, column in enumerate(self.columns)}
        of = {role: [c for c in self.columns if roles[c] == role] for role, _name in self.ROLES}
        text = sorted(
            of[self.TEXT],
            key=lambda c: (self.cleaned_data[f"place{numbers[c]}"] or 1000, numbers[c]),
        )
        return Mapping(
            text=tuple(text),
            names=self.mapping.names if tuple(text) == self.mapping.text else (),
            optional=tuple(c for c in text if self.cleaned_data[f"empty{numbers[c]}"]),
            id=next(iter(of[self.ID]), None),
            reference=next(iter(of[self.REFERENCE]), None),
            separator=self.cleaned_data.get("separator") or None,
            split=next(iter(of[self.SPLIT]), None),
            meta=tuple(of[self.META]) if of[self.LEAVE] else None,
            join_tokens=self.mapping.join_tokens,
        )


class DecisionForm(forms.Form):
    """What becomes of the rows that were read."""

    SKIP, KEEP = "skip", "keep"
    REFUSE, WITHOUT = "refuse", "without"
    duplicates = forms.ChoiceField(
        label=_("Duplicates"),
        choices=[
            (SKIP, _("Skip them: each text once")),
            (KEEP, _("Keep them: each row is a sample")),
        ],
        initial=SKIP,
        widget=forms.RadioSelect,
    )
    unknown = forms.ChoiceField(
        label=_("Rows whose reference label is not in the codebook"),
        choices=[
            (REFUSE, _("Refuse them")),
            (WITHOUT, _("Import them without a reference label; what the file says goes to meta")),
        ],
        initial=REFUSE,
        widget=forms.RadioSelect,
    )
    choice = forms.ChoiceField(choices=[("good", ""), ("nothing", "")])

    def __init__(self, sample_import, match, data=None):
        super().__init__(data)
        if not sample_import.duplicates_in_file + sample_import.duplicates_in_project:
            del self.fields["duplicates"]
        if match is None or not match.unknown:
            del self.fields["unknown"]
        elif not match.known:
            self.fields["unknown"].initial = self.WITHOUT

    def decided(self):
        """As the action takes it."""
        said = self.cleaned_data
        return {
            "keep_duplicates": said.get("duplicates") == self.KEEP,
            "without_unknown": said.get("unknown") == self.WITHOUT,
        }
