"""Imports that are written in steps, and text fields that keep their order on PostgreSQL."""

import annotation.models.sample
from django.db import migrations, models


def keep_order(apps, schema_editor):
    """`jsonb` sorts keys, `json` keeps them; SQLite stores the text as it is."""
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(
            'ALTER TABLE annotation_sample ALTER COLUMN fields TYPE json USING fields::json'
        )


def sort_keys(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(
            'ALTER TABLE annotation_sample ALTER COLUMN fields TYPE jsonb USING fields::jsonb'
        )


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0003_drawing'),
    ]

    operations = [
        migrations.AddField(
            model_name='sampleimport',
            name='position',
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='sampleimport',
            name='report',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='sampleimport',
            name='tries',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='sampleimport',
            name='without_unknown',
            field=models.BooleanField(default=False),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(keep_order, sort_keys)],
            state_operations=[
                migrations.AlterField(
                    model_name='sample',
                    name='fields',
                    field=annotation.models.sample.OrderedJSONField(),
                ),
            ],
        ),
    ]
