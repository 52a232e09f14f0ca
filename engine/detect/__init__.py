"""Sigma trees to plan to hits."""
