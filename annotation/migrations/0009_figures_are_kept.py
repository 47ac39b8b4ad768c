"""Figures, maps, looks and tried drafts never change: the database refuses it."""

from django.db import migrations

from synthlab.append_only import refuse

TRIED = "EXISTS (SELECT 1 FROM annotation_codebook c WHERE c.id = ROW.codebook_id AND c.state = 'trial')"


class Migration(migrations.Migration):
    dependencies = [("annotation", "0008_figures_and_splits")]
    operations = [
        refuse(
            "estimate_is_kept", "annotation_estimate", ["UPDATE", "DELETE"],
            "estimates are only ever added",
        ),
        refuse(
            "map_is_kept", "annotation_calibrationmap", ["UPDATE", "DELETE"],
            "calibration maps are only ever added",
        ),
        refuse(
            "look_is_kept", "annotation_look", ["UPDATE", "DELETE"],
            "looks are only ever added",
        ),
        refuse(
            "split_is_locked", "annotation_lockedsplit", ["UPDATE", "DELETE"],
            "a locked split never changes",
        ),
        refuse(
            "label_is_tried", "annotation_label", ["UPDATE", "DELETE"],
            "a tried draft never changes", TRIED,
        ),
    ]
