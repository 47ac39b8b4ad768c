"""The tables of talking to models: connections, runs and the ledger."""

from generation.models.connection import AllowedHost, Connection
from generation.models.embedding import Embedding, TextVector
from generation.models.ledger import Attempt, Call, Slot
from generation.models.run import Run, WorkerBeat

__all__ = [
    "AllowedHost",
    "Attempt",
    "Call",
    "Connection",
    "Embedding",
    "Run",
    "Slot",
    "TextVector",
    "WorkerBeat",
]
