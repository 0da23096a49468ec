"""Styles figures and renders them as SVG and PNG."""
