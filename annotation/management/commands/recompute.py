"""manage.py recompute PROJECT [--estimate ID] [--json]"""

from django.core.management.base import CommandError
from django.db.models import Min

from annotation.actions.estimates import recompute
from annotation.management.base import ScriptCommand, project_named
from annotation.models import Estimate


class Command(ScriptCommand):
    help = "Compute kept figures again and compare them byte for byte; exit code 1 if any differs."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("project", help="name or number")
        parser.add_argument("--estimate", type=int, help="one of the figures of a batch; all")

    def run(self, **options):
        project = project_named(options["project"])
        firsts = project.estimates.values("batch").annotate(first=Min("pk"))
        if options["estimate"] is not None:
            wanted = project.estimates.filter(pk=options["estimate"]).values("batch")
            firsts = firsts.filter(batch__in=wanted)
        kept = Estimate.objects.select_related("project", "codebook", "machine")
        batches = kept.filter(pk__in=[row["first"] for row in firsts]).order_by("pk")
        if not batches:
            raise CommandError(f"“{project.name}” has no such kept figures: see agreement --keep.")
        result = {"batches": [_said(first) for first in batches]}
        if not all(batch["same"] for batch in result["batches"]):
            raise CommandError(self.words(result))
        return result

    def words(self, result):
        return "\n".join(
            f"{batch['estimate']}: {batch['figures']} figures, "
            + ("the same, byte for byte" if batch["same"] else f"differ: {batch['changed']}")
            for batch in result["batches"]
        )


def _said(first):
    found = recompute(first)
    return {
        "estimate": first.pk,
        "figures": found.figures,
        "changed": list(found.changed),
        "same": found.same,
        "same_inputs": found.same_inputs,
        "same_code": found.same_code,
    }
