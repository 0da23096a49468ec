"""Defines a study: reading YAML, sections, checks, presets, teachers, the template."""
