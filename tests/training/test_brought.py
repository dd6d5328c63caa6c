"""What readers bring first, and is not what `fit`, `evaluate` and `predict` take: each is named."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from eqlib import data, training

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
FORMS = "expected arrays or tensors (inputs ..., target), or an object with __len__ and batch(indices)"
SET = TensorDataset(torch.as_tensor(X), torch.as_tensor(Y))


def fit(examples, loss=training.cross_entropy, net=None, **options):
    return training.fit(
        net or nn.Linear(4, 2), loss, examples, epochs=1, batch_size=5, progress=False, device="cpu", **options
    )


def refused(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("source", "came"),
    [
        (DataLoader(SET), "a DataLoader"),
        (SET, "a TensorDataset"),
        (X, "a ndarray"),
        (torch.as_tensor(X), "a Tensor"),
        ((X,), "1 array"),
        ((), "no arrays"),
        ({"x": X, "y": Y}, "a dict"),
    ],
)
def test_other_forms_of_data(source, came):
    net = nn.Linear(4, 2)
    refused(lambda: fit(source), f"train: got {came}, {FORMS}")
    refused(lambda: fit((X, Y), valid=source), f"valid: got {came}, {FORMS}")
    refused(lambda: training.evaluate(net, source, training.accuracy), f"data: got {came}, {FORMS}")
    refused(lambda: training.predict(net, source), f"data: got {came}, {FORMS}")


@pytest.mark.parametrize("net", [nn.Linear(4, 2), nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2))])
def test_dtypes_that_are_not_the_model_s(net):
    """Named where torch raises, not before: a model may convert what it is given."""
    wrong = 'got float64 inputs for a float32 model, expected .astype("float32"), or model.double()'
    refused(lambda: fit((X.astype(float), Y), net=net), f"train: {wrong}")
    refused(lambda: training.evaluate(net, (X.astype(float), Y), training.accuracy), f"data: {wrong}")
    refused(lambda: training.predict(net, (X.astype(float), Y)), f"data: {wrong}")
    refused(
        lambda: training.predict(net, (X.astype(np.uint8), Y)),
        'data: got uint8 inputs for a float32 model, expected .astype("float32")',
    )
    other = nn.Linear(4, 2).double()
    wrong = 'train: got float32 inputs for a float64 model, expected .astype("float64"), or model.float()'
    refused(lambda: fit((X, Y), net=other), wrong)


def test_dtypes_of_targets():
    wrong = 'train: got float64 targets for a float32 model, expected .astype("float32"), or model.double()'
    net = nn.Sequential(nn.Linear(4, 2), nn.Sigmoid())
    refused(lambda: fit((X, (X[:, :2] > 0).astype(float)), binary_cross_entropy, net), wrong)
    wrong = '{}: got int64 targets for a float32 model, expected .astype("float32")'
    refused(lambda: fit((X, np.ones((12, 2), int)), binary_cross_entropy_with_logits), wrong.format("train"))
    both = (X, np.ones((12, 2), int)), binary_cross_entropy_with_logits
    refused(lambda: training.evaluate(net, *both), wrong.format("data"))


def test_a_model_may_convert_its_input_and_other_errors_stay():
    net = nn.Linear(4, 2).double()
    net.register_forward_pre_hook(lambda _, inputs: tuple(x.double() for x in inputs))
    fit((X, Y), net=net)
    assert training.predict(net, (X, Y)).dtype == torch.float64
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes"):
        fit((X[:, :3].astype(float), Y), net=net)
    net.register_forward_hook(lambda *_: torch.zeros(2, 2) @ torch.zeros(2, 2).double())  # its own fault
    with pytest.raises(RuntimeError, match="same dtype"):
        training.predict(net, (X.astype(float), Y))
    with pytest.raises(TypeError, match="mine"):
        fit((X, Y), lambda output, target: (_ for _ in ()).throw(TypeError("mine")))


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, bool])
def test_labels_of_any_whole_dtype(dtype):

    torch.manual_seed(0)
    one = nn.Linear(4, 2)
    other = nn.Linear(4, 2)
    other.load_state_dict(one.state_dict())
    assert fit((X, Y), net=one) == fit((X, Y.astype(dtype)), net=other)
    assert training.evaluate(one, (X, Y.astype(dtype)), training.accuracy) > 0


def test_labels_that_are_no_classes():
    wrong = "target: got float64, expected class indices (n,), whole numbers from 0 on"
    refused(lambda: fit((X, Y.astype(float))), wrong)


class Unlabelled:
    def __len__(self):
        return 12

    def batch(self, indices):
        return X[indices], None


@pytest.mark.parametrize("metric", [training.accuracy, training.cross_entropy, mse_loss])
def test_no_target(metric):
    wrong, net = "got no target (None), expected one last; training.predict needs none", nn.Linear(4, 2)
    refused(lambda: training.evaluate(net, Unlabelled(), metric), f"data: {wrong}")
    refused(lambda: fit(Unlabelled(), metric), f"train: {wrong}")
    assert training.predict(net, Unlabelled()).shape == (12, 2)
    fit(Unlabelled(), lambda output, target: output.square().mean())  # a loss may do without
    jets = data.Jets.from_momenta([[[5, 3, 0, 4]], [[13, 0, 5, 12]]])
    net = nn.Sequential(nn.Flatten(), nn.Linear(200, 2))

    class Net(nn.Module):
        def forward(self, momenta, mask):
            return net(momenta)

    refused(lambda: training.evaluate(Net(), data.JetInputs(jets), metric), f"data: {wrong}")


def test_what_cannot_be_called():
    for name, value, came, such in (
        ("optimizer", "adam", "'adam'", "torch.optim.Adam"),
        ("optimizer", torch.optim.Adam(nn.Linear(1, 1).parameters()), "a Adam", "torch.optim.Adam"),
        ("schedule", "cosine", "'cosine'", "training.cosine"),
        ("augment", True, "a bool", "data.turn_images"),
        ("metric", "accuracy", "'accuracy'", "training.accuracy"),
    ):
        refused(
            lambda n=name, v=value: fit((X, Y), **{n: v}), f"{name}: got {came}, expected a callable such as {such}"
        )
    refused(lambda: fit((X, Y), "mse"), "loss: got 'mse', expected a callable such as training.cross_entropy")
