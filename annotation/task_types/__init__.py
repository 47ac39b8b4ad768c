"""What an annotator answers. One task type per file, all of them listed here."""

from annotation.task_types.base import TaskType
from annotation.task_types.multi_label import MultiLabel
from annotation.task_types.rating import Rating
from annotation.task_types.single_label import SingleLabel

TASK_TYPES: dict[str, TaskType] = {
    task_type.name: task_type() for task_type in (SingleLabel, MultiLabel, Rating)
}


def choices() -> list[tuple[str, str]]:
    return [(name, task_type.label) for name, task_type in TASK_TYPES.items()]
