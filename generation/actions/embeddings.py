"""Where a project's vectors come from: its texts, or a model that they are bought from."""

from itertools import groupby

import numpy as np
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from annotation.actions.features import forget_features, keep_features
from annotation.arrays_features import hash_of_texts
from annotation.models import Project, Sample
from generation.actions import connections
from generation.actions.runs import RunRefused, check_cap
from generation.llm.embeddings import read_vectors
from generation.models import Call, Connection, Embedding, Run, TextVector
from generation.reports_vectors import LONGEST, dimensions_of, missing, open_run, source_of

CHUNK = 10_000


@transaction.atomic
def start(
    project: Project, connection: Connection, longest: int = LONGEST, created_by=None,
    cap_cost: int | None = None, cap_tokens: int | None = None,
) -> Run:  # fmt: skip
    """A run that buys what is missing and then makes the vectors the project's; the open one, if
    there is one. Raises RunRefused."""
    if why := connections.refusal(connection.base_url):
        raise RunRefused(why)
    check_cap(connection, cap_cost)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if (found := open_run(project)) is not None:
        return found
    run = Run.objects.create(
        project=project,
        kind=Run.Kind.EMBED,
        state=Run.State.RUNNING,
        reason_code="starting",
        connection=connection,
        cap_cost=cap_cost,
        cap_tokens=cap_tokens,
        created_by=created_by,
        started_at=now(),
    )
    Embedding.objects.create(run=run, source=source_of(connection, longest), longest=longest)
    return run


def use_texts(project: Project) -> None:
    """Back to the vectors that are computed from the texts. What was bought stays bought."""
    if open_run(project) is not None:
        raise RunRefused(_("Vectors are being bought: cancel that first."))
    forget_features(project)


def finish(run: Run) -> bool:
    """Make the bought vectors the project's, and end the run; False: a text still lacks one.
    Doing it twice is harmless."""
    source = run.embedding.source
    if missing(run.project, source).exists():
        return False
    mark = hash_of_texts(run.project)  # first: what comes in later is not in this mark
    if missing(run.project, source).exists():
        return False
    ids, rows = _rows(run.project, source)
    keep_features(run.project, source, mark, ids, rows)
    Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(
        state=Run.State.DONE, ended_at=now(), reason="", reason_code="", routed=True
    )
    return True


def _rows(project, source):
    """Ids, ascending, and unit vectors; a text that is empty, or came in just now, is zeros."""
    samples = Sample.objects.visible().filter(project=project).order_by("pk")
    read = list(samples.values_list("pk", "content_hash").iterator(chunk_size=CHUNK))
    places: dict[str, list[int]] = {}
    for row, (_pk, content) in enumerate(read):
        places.setdefault(content, []).append(row)
    rows = np.zeros((len(read), dimensions_of(project, source) or 1), dtype=np.float32)
    bought = TextVector.objects.filter(project=project, source=source, valid=True)
    bought = bought.order_by("call", "place").values_list("call", "content_hash", "place")
    for call, group in groupby(bought.iterator(chunk_size=CHUNK), key=lambda entry: entry[0]):
        vectors = _of_call(call)
        for _call, content, place in group:
            rows[places.get(content, [])] = vectors[place]
    return np.array([pk for pk, _content in read], dtype=np.int64), rows


def _of_call(call_id):
    """The vectors of a stored reply, each of length one."""
    call = Call.objects.only("reply", "request").get(pk=call_id)
    vectors = read_vectors(call.reply, len(call.request["input"]))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length == 0, 1, length)
