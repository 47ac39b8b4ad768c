"""Readings about vectors: what they are, which texts lack one, what that would cost."""

import hashlib
import math
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from annotation.arrays_features import hash_of_texts, in_order, is_computed
from annotation.models import FeatureTable, Project, Sample
from generation.llm import tokens
from generation.llm.base import EmbeddingRequest
from generation.models import Call, Connection, Embedding, Run, TextVector
from generation.models.ledger import Spend

LONGEST = 8_000  # characters of a text that are sent, unless said otherwise
PRICED_TEXTS = 200


@dataclass(frozen=True)
class Price:
    """What the vectors that are missing would cost, in texts, tokens and micro-units; no cost
    where the connection's prices are unknown."""

    texts: int
    tokens: int
    cost: int | None


@dataclass(frozen=True)
class Source:
    """What the vectors were bought from, and how many texts came in since without one."""

    connection: Connection
    longest: int
    table: FeatureTable
    lacking: int


@dataclass(frozen=True)
class Buying:
    """A run that buys vectors: how far it is, in texts, and what it has cost."""

    run: Run
    done: int
    wanted: int
    spend: Spend
    unknown: int


def source_of(connection: Connection, longest: int) -> str:
    """The name of the vectors: another endpoint, model or cut gives others."""
    told = f"{connection.base_url}\n{connection.model}\n{longest}"
    return f"embedding:{hashlib.sha256(told.encode()).hexdigest()[:24]}"


def missing(project: Project, source: str):
    """The visible samples whose text has no vector of this source yet. An empty one needs none."""
    bought = TextVector.objects.filter(
        project=project, source=source, content_hash=OuterRef("content_hash"), valid=True
    )
    samples = Sample.objects.visible().filter(project=project, text__regex=r"\S")
    return samples.filter(~Exists(bought))


def price(project: Project, connection: Connection, longest: int) -> Price:
    """Estimated from some of the texts, spread over them."""
    samples = missing(project, source_of(connection, longest))
    count = samples.values("content_hash").distinct().count()
    step = max(1, count // PRICED_TEXTS)
    texts = [
        text[:longest]
        for text in samples.order_by("pk").values_list("text", flat=True)[::step][:PRICED_TEXTS]
    ]
    request = EmbeddingRequest(tuple(texts), connection.model)
    needed = math.ceil(tokens.estimate_prompt(request) * count / max(len(texts), 1))
    known = None not in (connection.price_in, connection.price_out)
    cost = tokens.cost(needed, 0, connection.price_in, 0) if known else None
    return Price(count, needed, cost)


def open_run(project: Project) -> Run | None:
    """The run that buys vectors for the project now, or is paused."""
    found = Run.objects.open().filter(project=project, kind=Run.Kind.EMBED)
    return found.select_related("connection", "embedding").first()


def dimensions_of(project: Project, source: str) -> int | None:
    """How long the vectors of this source are, once one has come."""
    known = Embedding.objects.filter(run__project=project, source=source)
    return known.exclude(dimensions=None).values_list("dimensions", flat=True).first()


def buying(project: Project) -> Buying | None:
    """The open run, else the last one; None: there was none."""
    runs = Run.objects.filter(project=project, kind=Run.Kind.EMBED)
    last = runs.select_related("connection", "embedding").order_by("-pk").first()
    if last is None:
        return None
    source = last.embedding.source
    done = TextVector.objects.filter(project=project, source=source, valid=True).count()
    lacking = missing(project, source).values("content_hash").distinct().count()
    doubted = last.calls.filter(outcome=Call.Outcome.UNKNOWN).count()
    return Buying(last, done, done + lacking, Spend.of(last), doubted)


def source_in_force(project: Project) -> Source | None:
    """What the project's vectors were bought from; None: they are the texts' own."""
    standing = in_order(project.feature_tables.all())
    tables = [table for table in standing if not is_computed(table.source)]
    made = Embedding.objects.filter(run__project=project, source__in=[t.source for t in tables[:1]])
    embedding = made.select_related("run__connection").order_by("-pk").first()
    if embedding is None:
        return None
    lacking = 0
    if tables[0].hash != hash_of_texts(project):
        lacking = missing(project, embedding.source).count()
    return Source(embedding.run.connection, embedding.longest, tables[0], lacking)
