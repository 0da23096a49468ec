"""Shows a study's runs in MLflow."""
