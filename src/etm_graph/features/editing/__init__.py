"""Editing drafts together: change sets, undo and redo, checkpoints and restoring, rebasing on the active model."""
