"""What both readers of codebook files find, before slugs, keys and examples are settled."""

from dataclasses import dataclass, field

from annotation.task_types.base import Rules


class BadCodebook(ValueError):
    """The file is no codebook that could be kept. `messages` say where and why."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = messages
        super().__init__(" ".join(messages))


@dataclass
class Found:
    """The rules as the file has them: a label without a slug of its own has ""."""

    rules: Rules
    task_type: str = ""
    remarks: list[str] = field(default_factory=list)
    keyless: set[int] = field(default_factory=set)  # labels of whose key the file says nothing
    bare_examples: set[tuple[int, int]] = field(default_factory=set)  # given as a text alone
