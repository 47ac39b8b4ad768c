"""What is published or answered never changes: the database refuses it."""

from django.db import migrations

from synthlab.append_only import refuse

PUBLISHED = "EXISTS (SELECT 1 FROM annotation_codebook c WHERE c.id = ROW.codebook_id AND c.state = 'published')"
DRAWN = "EXISTS (SELECT 1 FROM annotation_round r WHERE r.id = ROW.round_id AND r.state <> 'drawing')"


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_tables")]
    operations = [
        refuse(
            "codebook_is_published", "annotation_codebook", ["UPDATE", "DELETE"],
            "a published codebook edition never changes", "ROW.state = 'published'",
        ),
        refuse(
            "label_is_published", "annotation_label", ["INSERT", "UPDATE", "DELETE"],
            "a published codebook edition never changes", PUBLISHED,
        ),
        refuse(
            "annotation_is_kept", "annotation_annotation", ["UPDATE", "DELETE"],
            "annotations are only ever added",
        ),
        refuse(
            "adjudication_is_kept", "annotation_adjudication", ["UPDATE", "DELETE"],
            "adjudications are only ever added",
        ),
        refuse(
            "machine_is_frozen", "annotation_machineannotator", ["UPDATE"],
            "a machine annotator never changes",
        ),
        refuse(
            "suggestion_is_kept", "annotation_suggestion", ["UPDATE", "DELETE"],
            "suggestions are only ever added",
        ),
        refuse(
            "round_item_is_drawn", "annotation_rounditem", ["UPDATE", "DELETE"],
            "a draw never changes", DRAWN,
        ),
    ]
