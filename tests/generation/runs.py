"""Label runs for tests: a project, a connection to the scripted server, and working it all off."""

from annotation.models import Suggestion
from generation import techniques
from generation.actions import runs, upkeep
from generation.models import AllowedHost, Call, Slot
from tests.factories import make_codebook, make_connection, make_project, make_sample

ABILITIES = {"chat": True, "logprobs": True, "json_schema": True, "system_role": True}
LETTER_A = [[("A", -0.1), ("B", -2.4)]]


def connect(server, **fields):
    """A connection to the server, allowed and probed; one request at a time unless said."""
    AllowedHost.objects.get_or_create(host="127.0.0.1", port=None)
    fields = {
        "capabilities": ABILITIES,
        "concurrency": 1,
        "price_in": 1_000_000,
        "price_out": 2_000_000,
        **fields,
    }
    return make_connection(server.base_url, **fields)


def start(
    server, texts=("A text.",), technique="logprobs", options=None, caps=(None, None), **fields
):
    """A run over new samples with these texts, planned and running."""
    project = make_project(fields.pop("task_type", "single_label"))
    make_codebook(project)
    for text in texts:
        make_sample(project, text)
    run, _new = runs.start_run(
        connect(server, **fields),
        techniques.make(technique, options or {}),
        project.edition(),
        cap_cost=caps[0],
        cap_tokens=caps[1],
    )
    runs.plan(run.pk)
    run.refresh_from_db()
    return run


def work_off(run):
    """What a worker does until nothing is due."""
    while upkeep.work_on_due() is not None:
        pass
    run.refresh_from_db()
    return run


def states(run):
    return list(run.slots.order_by("index").values_list("state", "reason"))


def outcomes(run):
    return list(Call.objects.filter(run=run).order_by("pk").values_list("outcome", flat=True))


def only_slot(run):
    return Slot.objects.get(run=run)


def suggestions(run):
    return Suggestion.objects.filter(machine=run.machine)
