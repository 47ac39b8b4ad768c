"""What models were asked about one sample: /samples/<id>/calls/."""

from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation.access import MANAGER, admits, sample_for
from generation.models import Call

SHOWN = 100


@admits(MANAGER)
@require_safe
def sample_calls(request, sample_id):
    """Every paid request about the sample, newest first, each with its raw reply one click away."""
    sample = sample_for(request, sample_id)
    calls = Call.objects.filter(attempt__slot__sample=sample).defer("request", "reply")
    context = {
        "project": sample.project,
        "section": "samples",
        "sample": sample,
        "calls": calls.select_related("run", "attempt", "connection").order_by("-pk")[:SHOWN],
    }
    return render(request, "generation/sample_calls.html", context)
