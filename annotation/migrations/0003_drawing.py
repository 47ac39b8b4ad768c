"""Draws that can be begun again, and one open routed round a machine."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0002_append_only'),
    ]

    operations = [
        migrations.AddField(
            model_name='round',
            name='draw_key',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='round',
            name='drawing_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name='round',
            constraint=models.UniqueConstraint(condition=models.Q(('draw_key__isnull', False)), fields=('project', 'draw_key'), name='draw_once'),
        ),
        migrations.AddConstraint(
            model_name='round',
            constraint=models.UniqueConstraint(condition=models.Q(('routed', True), ('state', 'open')), fields=('machine',), name='one_open_routed_round_a_machine'),
        ),
    ]
