"""Every address of the site."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from annotation.access import SIGNED_IN, admits
from annotation.views import accounts

urlpatterns = [
    path("sign-in/", accounts.sign_in, name="login"),
    path("sign-out/", admits(SIGNED_IN)(LogoutView.as_view()), name="logout"),
    path("", include("annotation.urls")),
    path("", include("generation.urls")),
]
