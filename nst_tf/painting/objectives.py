"""The loss of each pass of a run, and what the picture must match there."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from nst_tf.loss.choice import networks_of
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.term import Targets
from nst_tf.loss.tiled import tiled
from nst_tf.painting.inputs import Inputs, changeable
from nst_tf.painting.memory import MemoryPlan
from nst_tf.painting.schedule import Pass
from nst_tf.painting.weights import TermWeights
from nst_tf.painting.workshop import Workshop
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import Network


class Objectives:
    """Builds the losses of a run's passes, every loss network once.

    Args:
        passes: All of the run.
        plan: Says which are made in tiles.
        inputs: The pictures.
        weights: Of the terms along the run.
        dtype: Of the loss networks.
        workshop: Keeps loss networks for other runs.
        extractor: Serves as the last of the loss networks.
    """

    def __init__(
        self,
        passes: Sequence[Pass],
        plan: MemoryPlan,
        inputs: Inputs,
        weights: TermWeights,
        *,
        dtype: str,
        workshop: Workshop | None,
        extractor: keras.Model | None,
    ) -> None:
        self.passes, self.plan, self.inputs = passes, plan, inputs
        self.weights, self.settings = weights, weights.settings
        self.dtype, self.workshop = dtype, workshop
        self.extractors: dict[Network, keras.Model] = {}
        if extractor is not None:
            last = networks_of(self.settings.extractor)[-1]
            geometry = getattr(extractor, "geometry", None)
            if geometry is not None and geometry.network != last:
                raise InputError(
                    f"the extractor is {geometry.network}, the settings look through"
                    f" {last}: give build_extractor their layers and their extractor"
                )
            self.extractors[last] = extractor

    def __getitem__(self, index: int) -> Objective:
        """Return the loss of a pass, in tiles where the plan says so."""
        stage = self.passes[index]
        loss = changeable(stage.loss) if self.weights.changes else stage.loss
        objective = Objective(self.extractor(stage.network), loss)
        return tiled(objective, self.plan.stages[index].tile)

    def extractor(self, network: Network) -> keras.Model:
        """Return a loss network."""
        if network not in self.extractors:
            chosen = dataclasses.replace(self.settings.extractor, network=network)
            key = self.settings.loss.layers, chosen, self.dtype
            shared = self.workshop.extractors if self.workshop else {}
            if key not in shared:
                shared[key] = build_extractor(key[0], settings=chosen, dtype=self.dtype)
            self.extractors[network] = shared[key]
        return self.extractors[network]

    def shares_targets(self, index: int) -> bool:
        """Tell whether a pass and the next are compared with the same."""
        stage = self.passes[index]
        return stage.joined and self.passes[index + 1].network == stage.network

    def targets(self, index: int, evaluations: int) -> Targets:
        """Return what a picture must match in a pass, by the weights of now.

        Args:
            index: Of the pass.
            evaluations: Made so far.
        """
        # Those of the whole loss serve the pass before it, too.
        objective = self[index + self.shares_targets(index)]
        targets = self.inputs.targets(objective, self.passes[index], self.settings)
        if not self.weights.changes:
            return targets
        weights = self.weights.at(evaluations)
        return targets._replace(weights=np.asarray(weights, "float32"))
