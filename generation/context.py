"""What generation tells every template, asked for only where one looks at it."""

from generation.reports import a_worker_is_alive


def worker(request):
    """For components/_no_worker.html; pages of annotation may show it without knowing of runs."""
    return {"a_worker_is_alive": a_worker_is_alive}
