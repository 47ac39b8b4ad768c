"""A project with enough in it that every page shows what it can show."""

import numpy as np

from annotation.actions import forecasts
from annotation.models import Codebook, CodebookNote, MachineAnnotator, Project, Round
from tests import factories as f

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
TEXTS = (
    "The heating in the reading room has been off since Monday, and nobody answers the telephone.",
    "阅览室的暖气从星期一起就关了，没有人接电话。请问什么时候能修好？",
    "도서관 열람실 난방이 월요일부터 꺼져 있고 아무도 전화를 받지 않습니다.",
    "التدفئة في قاعة المطالعة معطلة منذ يوم الاثنين، ولا أحد يرد على الهاتف.",
    f"{LONG_WORD} https://library.example/{LONG_WORD}/{LONG_WORD}",
    "One sentence after another, all about opening hours and how they could be longer. " * 30,
)


def fill(world):
    """Give the project of a `World` texts in several scripts, a machine's doubts and answers."""
    project = Project.objects.get(pk=world.ids["project_id"])
    codebook = Codebook.objects.get(pk=world.ids["codebook_id"])
    machine = MachineAnnotator.objects.get(pk=world.ids["machine_id"])
    annotator, manager = world.users["annotator"], world.users["manager"]
    rng = np.random.default_rng(1)
    samples = [f.make_sample(project, f"{text} ({n})") for n in range(6) for text in TEXTS]
    for sample in samples:
        yes = round(float(rng.uniform(0.05, 0.95)), 3)
        f.make_suggestion(machine, sample, {"yes": yes, "no": 1 - yes}, rationale=TEXTS[0])
    people = [annotator, manager, world.users["adjudicator"]]
    drawn = f.make_round(
        project, samples=samples[:24], annotators=people, overlap=2, machine=machine
    )
    for item in drawn.items.all()[:18]:
        for person in (annotator, manager):
            f.make_annotation(item, person, "yes" if rng.random() < 0.6 else "no")
    fill_lab(project, people)
    Round.objects.filter(project=project).update(machine=machine)
    CodebookNote.objects.create(
        project=project,
        codebook=codebook,
        label_slug="yes",
        sample=samples[4],
        author=annotator,
        text=f"{LONG_WORD} is neither.",
    )
    forecasts.ask(machine, codebook, wait=True)
    return drawn


def fill_lab(project, people):
    """What people say of the locked dev split, on which a trial fixes one sample."""
    dev = list(project.samples.filter(split="dev"))
    frame = {"filter": {"split": "dev"}, "size": len(dev)}
    round_ = f.make_round(project, samples=dev, annotators=people, frame=frame)
    for item in round_.items.all():
        f.make_annotation(item, people[0], "yes")
