"""Computes and presents results: statistics, tables, figures, reports and exports; needs no torch, Ray or MLflow."""
