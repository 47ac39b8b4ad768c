"""Database triggers that refuse changes, for SQLite and PostgreSQL alike; used by migrations."""

from django.db import migrations


def refuse(name, table, events, message, when=""):
    """A migration step: `events` ("UPDATE", "DELETE", "INSERT") on `table` fail with `message`.

    `when` is a condition in SQL that both databases read; ROW stands for the row that the
    event is about. `name` is the trigger's, the event is added to it.
    """

    def forwards(apps, schema_editor):
        for event in events:
            for statement in _statements(
                schema_editor.connection.vendor,
                table,
                event,
                f"{name}_{event}".lower(),
                message,
                _of(event, when),
            ):
                schema_editor.execute(statement, params=None)

    def backwards(apps, schema_editor):
        on = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
        for event in events:
            schema_editor.execute(f"DROP TRIGGER {name}_{event}{on}".lower(), params=None)

    return migrations.RunPython(forwards, backwards)


def _of(event, when):
    return when.replace("ROW.", "NEW." if event == "INSERT" else "OLD.")


def _statements(vendor, table, event, name, message, when):
    if vendor == "sqlite":
        condition = f" WHEN {when}" if when else ""
        return [
            f"CREATE TRIGGER {name} BEFORE {event} ON {table}{condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]
    row = "OLD" if event == "DELETE" else "NEW"
    condition = f"IF NOT ({when}) THEN RETURN {row}; END IF; " if when else ""
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN {condition}"
        f"RAISE integrity_constraint_violation USING MESSAGE = '{message}'; END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
