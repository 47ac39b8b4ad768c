"""Uploads are counted while they arrive, so that nobody can fill the disk with one request."""

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class LimitedUpload(FileUploadHandler):
    """Stops at IMPORT_MAX_UPLOAD_MB and says so by `request.upload_is_over`; keeps nothing."""

    def handle_raw_input(self, *args, **kwargs):
        self.left = settings.IMPORT_MAX_UPLOAD_MB * 1024 * 1024

    def receive_data_chunk(self, raw_data, start):
        self.left -= len(raw_data)
        if self.left < 0:
            self.request.upload_is_over = True
            raise StopUpload(connection_reset=False)  # so that the page can still answer
        return raw_data

    def file_complete(self, file_size):
        return None
