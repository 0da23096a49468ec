"""Builds the report page of a study or a comparison."""
