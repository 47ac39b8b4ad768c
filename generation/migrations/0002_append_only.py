"""A settled call is a receipt: the database refuses to change it."""

from django.db import migrations

from synthlab.append_only import refuse


class Migration(migrations.Migration):
    dependencies = [("generation", "0001_tables")]
    operations = [
        refuse(
            "call_is_settled", "generation_call", ["UPDATE", "DELETE"],
            "a settled call never changes", "ROW.outcome IN ('settled', 'failed')",
        ),
    ]
