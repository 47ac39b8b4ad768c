"""Writing a project as files: `write.export` is the way in; docs/exports.md has every column."""
