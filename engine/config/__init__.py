"""crosswind.toml and the environment, read once and passed in."""

from __future__ import annotations

from engine.config.model import Config, JobConfig, Options, Secret, SinkConfig, SourceConfig
from engine.config.reading import FILE, load_config

__all__ = ["FILE", "Config", "JobConfig", "Options", "Secret", "SinkConfig", "SourceConfig", "load_config"]
