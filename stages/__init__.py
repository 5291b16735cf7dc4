"""The stages of dvc.yaml: each reads its section of params.yaml, calls the library, and says what it wrote."""
