"""Dense layers whose weights are no constant, as PyTorch's converter writes queries by keys.

They are the product of two activations, the second one swapped; LiteRT rounds it once, as other
dense layers.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.tflite.parse import StoredModel, StoredOperator

_OPTIONS = {"AdjX": 0.0, "AdjY": 1.0, "Dense": 1.0}


def with_products(stored: StoredModel) -> StoredModel:
    """The model with `BATCH_MATMUL` in the place of such layers without biases."""
    operators = tuple(
        StoredOperator("BATCH_MATMUL", one.inputs[:2], one.outputs, dict(_OPTIONS))
        if _of_activations(stored, one)
        else one
        for one in stored.operators
    )
    return replace(stored, operators=operators)


def _of_activations(stored: StoredModel, operator: StoredOperator) -> bool:
    if operator.name != "FULLY_CONNECTED" or len(operator.inputs) < 2:
        return False
    _, weights, *bias = operator.inputs
    plain = operator.words["FusedActivationFunction"] == "NONE"
    plain = plain and not operator.options["WeightsFormat"] and max(bias, default=-1) < 0
    return plain and any(weights in one.outputs for one in stored.operators)
