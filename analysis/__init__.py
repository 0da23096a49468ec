"""What came out: result files, statistics, tables and exports; needs no torch, no Ray and no MLflow."""
