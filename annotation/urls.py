from django.urls import path

from annotation.views import accounts, machines, projects

app_name = "annotation"
urlpatterns = [
    path("", projects.home, name="home"),
    path("projects/new/", projects.create, name="project_create"),
    path("projects/<int:project_id>/", projects.overview, name="project"),
    path("projects/<int:project_id>/members/", accounts.members, name="members"),
    path(
        "projects/<int:project_id>/invitations/<int:invitation_id>/withdraw/",
        accounts.withdraw_invitation,
        name="withdraw_invitation",
    ),
    path("projects/<int:project_id>/machines/", machines.machines, name="machines"),
    path("machines/<int:machine_id>/", machines.machine, name="machine"),
    path("invitations/<str:token>/", accounts.invitation, name="invitation"),
]
