"""Vectors of samples: computed once for the same texts, stored, read by the samples' ids."""

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured

from annotation.actions.features import keep_features, make_features
from annotation.arrays_features import NoFeatures, computed, stored_features
from annotation.models import FeatureTable, Sample
from synthlab.environment import env_folder
from tests.factories import make_project, make_sample

pytestmark = pytest.mark.django_db

TEXTS = ("the cat sat on the mat", "a cat sat on a mat", "prices rise again", "물가가 오른다", "")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FEATURE_DIR = tmp_path / "features"
    return settings.FEATURE_DIR


@pytest.fixture
def project():
    project = make_project()
    for text in TEXTS:
        make_sample(project, text)
    return project


def ids(project):
    return np.array(sorted(project.samples.values_list("pk", flat=True)))


def test_what_is_alike_lies_close_and_rows_follow_the_ids_that_are_asked_for(project):
    make_features(project)
    samples = ids(project)
    rows = stored_features(project, samples)
    likeness = rows @ rows.T
    assert likeness[0, 1] > likeness[0, 2] + 0.2
    assert (stored_features(project, samples[[3, 0]]) == rows[[3, 0]]).all()


def test_the_same_texts_are_computed_once_and_others_anew(
    project, folder, django_assert_num_queries
):
    first = make_features(project)
    with django_assert_num_queries(2):  # what the texts are, and the table; not the texts
        assert make_features(project) == first
    make_sample(project, "one more")
    second = make_features(project)
    assert (second.size, FeatureTable.objects.get()) == (len(TEXTS) + 1, second)
    assert [path.name for path in folder.iterdir()] == [second.path]


def test_a_table_whose_file_is_gone_is_made_again(project, folder):
    table = make_features(project)
    (folder / table.path / "rows.npy").unlink()
    with pytest.raises(NoFeatures):
        stored_features(project, ids(project))
    make_features(project)
    assert len(stored_features(project, ids(project))) == len(TEXTS)


def test_samples_without_vectors_are_no_vectors_of_others(project):
    with pytest.raises(NoFeatures):
        stored_features(project, ids(project))
    make_features(project)
    late = make_sample(project, "came later")
    with pytest.raises(NoFeatures):
        stored_features(project, np.array([late.pk]))
    Sample.objects.filter(pk=late.pk).delete()
    assert stored_features(project, np.array([], dtype=np.int64)).shape[0] == 0


def test_another_computed_source_takes_the_place_of_the_old_one(project, settings, tmp_path):
    """As after a site was started with a sentence model; its vectors are made up here."""
    own = make_features(project)
    settings.SENTENCE_MODEL = tmp_path
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(NoFeatures):
        stored_features(project, ids(project))
    vectors = np.eye(len(TEXTS), dtype=np.float32)
    kept = keep_features(project, computed(), own.hash, ids(project), vectors)
    assert make_features(project) == kept
    assert (stored_features(project, ids(project)) == vectors).all()
    assert list(FeatureTable.objects.all()) == [kept]
    settings.SENTENCE_MODEL = None
    assert make_features(project).source == own.source


def test_a_model_that_is_not_there_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHLAB_SENTENCE_MODEL", str(tmp_path / "nowhere"))
    with pytest.raises(ImproperlyConfigured, match="a folder that exists"):
        env_folder("SYNTHLAB_SENTENCE_MODEL", "numpy")
    monkeypatch.setenv("SYNTHLAB_SENTENCE_MODEL", str(tmp_path))
    assert env_folder("SYNTHLAB_SENTENCE_MODEL", "numpy") == tmp_path.resolve()
    with pytest.raises(ImproperlyConfigured, match="is not installed"):
        env_folder("SYNTHLAB_SENTENCE_MODEL", "no_such_package")
