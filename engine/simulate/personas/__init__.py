"""Benign life: everybody who lives in the company's clouds, hour by hour."""

from __future__ import annotations

from typing import Protocol

from engine.simulate.personas.chores import Chores
from engine.simulate.personas.clouds import Clouds
from engine.simulate.personas.models import Models
from engine.simulate.personas.people import People
from engine.simulate.personas.pipelines import Pipelines
from engine.simulate.personas.scanners import Scanners
from engine.simulate.personas.scene import Scene
from engine.simulate.personas.services import Services


class Persona(Protocol):
    """Somebody who does things every hour."""

    def live(self, scene: Scene) -> None: ...


def everybody(scene: Scene) -> list[Persona]:
    """All personas of a company; they keep what they remember in themselves."""
    return [Services(scene), People(scene), Pipelines(scene), Scanners(scene), Clouds(scene), Models(scene), Chores(scene)]
