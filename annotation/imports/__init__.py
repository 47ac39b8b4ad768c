"""Reading an uploaded file into staged samples, without any table: see `process` for the way in."""
