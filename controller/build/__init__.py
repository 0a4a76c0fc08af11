"""Evaluation and builds: how a composition becomes images."""
