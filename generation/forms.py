"""What people type about connections and runs, checked."""

from decimal import Decimal

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.models import Sample
from generation import techniques
from generation.actions import connections
from generation.models import Connection

MICRO = 1_000_000
LARGEST = Decimal(100_000)


class MoneyField(forms.DecimalField):
    """An amount in the currency, as integer micro-units; empty is unknown or no limit."""

    def __init__(self, **options):
        super().__init__(
            required=False, min_value=0, max_value=LARGEST, decimal_places=6, **options
        )

    def clean(self, value):
        amount = super().clean(value)
        return None if amount is None else int(amount * MICRO)

    def prepare_value(self, value):
        return (Decimal(value) / MICRO).normalize().__format__("f") if type(value) is int else value


class ConnectionForm(forms.ModelForm):
    """A connection. The key is only ever written: left empty, the stored one stays."""

    key = forms.CharField(
        label=_("Key"),
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept encrypted and never shown again. Local servers need none."),
    )
    price_in = MoneyField(
        label=_("Price of a million prompt tokens"),
        help_text=_("Leave it empty when you do not know it; 0 means free."),
    )
    price_out = MoneyField(label=_("Price of a million completion tokens"))

    class Meta:
        model = Connection
        fields = [
            "name", "base_url", "key", "model", "currency", "price_in", "price_out",
            "requests_per_minute", "tokens_per_minute", "concurrency", "deadline_seconds", "shared",
        ]  # fmt: skip
        labels = {
            "base_url": _("Base URL"),
            "requests_per_minute": _("Requests a minute"),
            "tokens_per_minute": _("Tokens a minute"),
            "concurrency": _("Requests at once"),
            "deadline_seconds": _("Seconds for one request in all"),
            "shared": _("Other managers of this instance may use it"),
        }
        help_texts = {
            "base_url": _("Up to and with /v1, such as https://api.openai.com/v1"),
            "model": _("Exactly as the endpoint calls it."),
            "requests_per_minute": _("Your account's limit; empty: none."),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["requests_per_minute"].required = False
        self.fields["tokens_per_minute"].required = False
        if self.instance.key_hint:
            self.fields["key"].widget.attrs["placeholder"] = f"…{self.instance.key_hint}"

    def clean_base_url(self):
        base_url = self.cleaned_data["base_url"].rstrip("/")
        if why := connections.refusal(base_url):
            raise forms.ValidationError(why)
        return base_url

    def clean_concurrency(self):
        return self._between("concurrency", 1, 256)

    def clean_deadline_seconds(self):
        return self._between("deadline_seconds", 1, 600)

    def _between(self, name, least, most):
        value = self.cleaned_data[name]
        if not least <= value <= most:
            raise forms.ValidationError(
                _("Choose a number from %(least)d to %(most)d.") % {"least": least, "most": most}
            )
        return value


class ProbeForm(forms.Form):
    consent = forms.BooleanField(
        label=_("Yes, send up to eight small requests; they may cost a fraction of a cent.")
    )


class HostForm(forms.Form):
    host = forms.CharField(
        label=_("Host"),
        max_length=260,
        help_text=_("Such as api.openai.com, localhost:11434 or 127.0.0.1:8001"),
    )

    def clean_host(self):
        entry = self.cleaned_data["host"].strip().lower()
        try:
            connections.check_entry(entry)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        return entry


class CapForm(forms.Form):
    cap_cost = MoneyField(label=_("Cap in money"))
    cap_tokens = forms.IntegerField(label=_("Cap in tokens"), required=False, min_value=1)


class RunForm(CapForm):
    """Which machine labels which samples. The options are those of the chosen technique."""

    connection = forms.ModelChoiceField(Connection.objects.none(), label=_("Connection"))
    technique = forms.ChoiceField(choices=techniques.choices, label=_("Technique"))
    split = forms.ChoiceField(
        choices=[("", _("all samples")), *Sample.Split.choices], required=False, label=_("Split")
    )
    q = forms.CharField(required=False, max_length=200, label=_("Text holds"))
    reference = forms.BooleanField(required=False, label=_("Only samples with a reference label"))
    most = forms.IntegerField(
        required=False,
        min_value=1,
        label=_("At most"),
        help_text=_("Try five first; a later run takes up the rest."),
    )

    field_order = ["connection", "technique"]

    def __init__(self, *args, connections, technique, **kwargs):
        super().__init__(*args, **kwargs)
        self.technique_name = technique
        if self.is_bound:
            self.data = _with_defaults(self.data, technique)
        self.fields["connection"].queryset = connections
        self.fields["connection"].label_from_instance = connection_words
        self.option_names = []
        for option in techniques.options_of(technique):
            name = f"option_{option['name']}"
            self.option_names.append(name)
            self.fields[name] = _option_field(option)

    def options(self):
        return [self[name] for name in self.option_names]

    def clean(self):
        cleaned = super().clean()
        given = {
            name.removeprefix("option_"): cleaned[name]
            for name in self.option_names
            if cleaned.get(name) is not None
        }
        try:
            cleaned["made"] = techniques.make(self.technique_name, given)
        except techniques.OptionsError as error:
            self.add_error(None, str(error))
        return cleaned

    def sample_filter(self):
        names = ("split", "q", "reference", "most")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name)}


def _with_defaults(data, technique):
    """Another technique was chosen: its options are not in what was sent yet."""
    filled = data.copy()
    for option in techniques.options_of(technique):
        if option["type"] is not bool:
            filled.setdefault(f"option_{option['name']}", option["default"])
    return filled


def connection_words(connection):
    return f"{connection.name} · {connection.model}"


def _option_field(option):
    words = {"label": option.get("label", option["name"]), "initial": option["default"]}
    if option["type"] is bool:
        return forms.BooleanField(required=False, **words)
    kind = forms.FloatField if option["type"] is float else forms.IntegerField
    return kind(min_value=option["min"], max_value=option["max"], required=False, **words)
