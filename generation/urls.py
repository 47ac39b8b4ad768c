from django.urls import path

from generation.views import connections, features, lab, runs, samples

app_name = "generation"
urlpatterns = [
    path("connections/", connections.connections, name="connections"),
    path("connections/new/", connections.new, name="connection_new"),
    path("connections/hosts/", connections.allow_host, name="host_allow"),
    path("connections/hosts/<int:host_id>/forbid/", connections.forbid_host, name="host_forbid"),
    path("connections/<int:connection_id>/", connections.connection, name="connection"),
    path("connections/<int:connection_id>/probe/", connections.probe, name="connection_probe"),
    path("projects/<int:project_id>/runs/", runs.runs, name="runs"),
    path("projects/<int:project_id>/runs/new/", runs.new, name="run_new"),
    path("projects/<int:project_id>/features/", features.features, name="features"),
    path("projects/<int:project_id>/features/texts/", features.use_texts, name="features_texts"),
    path("codebooks/<int:codebook_id>/run/", lab.edition_run, name="edition_run"),
    path("runs/<int:run_id>/", runs.run, name="run"),
    path("runs/<int:run_id>/progress/", runs.progress, name="run_progress"),
    path("runs/<int:run_id>/pause/", runs.pause, name="run_pause"),
    path("runs/<int:run_id>/resume/", runs.resume, name="run_resume"),
    path("runs/<int:run_id>/cancel/", runs.cancel, name="run_cancel"),
    path("runs/<int:run_id>/cap/", runs.cap, name="run_cap"),
    path("runs/<int:run_id>/leave-out/", runs.leave_out, name="run_leave_out"),
    path("runs/<int:run_id>/rejected/", runs.rejected, name="run_rejected"),
    path("calls/<int:call_id>/", runs.call, name="call"),
    path("samples/<int:sample_id>/calls/", samples.sample_calls, name="sample_calls"),
]
