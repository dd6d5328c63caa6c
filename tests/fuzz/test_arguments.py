"""Arguments that are anything: public constructors and functions take them, or refuse them with a ValueError that names one."""

import signal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eqlib import graphs, groups, harmonics, kernels, models, nn, testing, training
from tests.fuzz.settings import examples

O3, O2, C4, SO3, L = groups.O3(), groups.O2(), groups.Cyclic(4), groups.SO3(), groups.Lorentz()
q, p = O3.rep("2x0e+1o"), O2.rep("0e+1")
a, b = O3.irrep("1o"), O2.irrep("1")
x = torch.rand(6, 3)
lin = torch.nn.Linear(1, 1)


def rad():
    return kernels.Bessel(4, 3.0)


CALLS = {
    groups.Cyclic: dict(n=4),
    groups.Dihedral: dict(n=4),
    groups.SU: dict(n=3),
    groups.Spin: dict(n=5),
    groups.Sp: dict(n=4),
    groups.Simple: dict(type_="A2"),
    groups.Symmetric: dict(n=3),
    groups.Finite: dict(generators=[[1, 0, 2]], name="x", limit=10),
    groups.Product: dict(first=C4, second=O3),
    groups.Lorentz: dict(parity=True),
    groups.Octahedral: dict(inversion=True),
    groups.check: dict(group=C4, number=4),
    groups.fields: dict(rep=q, channels=2),
    groups.from_generators: dict(generators=SO3.rep("1").generators(), discrete=[np.eye(3)], name="m"),
    groups.induce: dict(rep=SO3.rep("1"), group=O3, embedding=None),
    groups.restrict: dict(rep=q, sub=SO3, embedding=None),
    groups.induced_multiplicity: dict(rep=SO3.rep("1"), irrep=a, embedding=None),
    groups.regular: dict(group=C4),
    groups.embed: dict(sub=SO3, group=O3),
    nn.BatchNorm: dict(rep=q, axis=-1, momentum=0.1),
    nn.CircularMask: dict(size=5, edge=1.0, dimensions=2),
    nn.Dropout: dict(rep=q, p=0.5, axis=-1),
    nn.FourierActivation: dict(rep=p, samples=8, axis=-1),
    nn.Gate: dict(rep=q, axis=-1),
    nn.GridConv: dict(rep_in=p, rep_out=p, kernel_size=3, stride=1, padding="same", degree=2, bias=True),
    nn.GridPool: dict(rep=p, smooth=False),
    nn.GroupPool: dict(rep=p, samples=8, axis=-1),
    nn.Invariants: dict(rep=q, axis=-1),
    nn.LayerNorm: dict(rep=q, axis=-1),
    nn.Linear: dict(rep_in=q, rep_out=q, bias=True, axis=-1),
    nn.NormActivation: dict(rep=q, axis=-1),
    nn.PointConv: dict(
        rep_in=q, rep_out=q, degree=1, radial=rad(), mu=0.0, depthwise=False, neighbours=2.0, aligned=None
    ),
    nn.Restrict: dict(rep=q, subgroup=SO3, embedding=None, axis=-1),
    nn.TensorProduct: dict(rep_a=q, rep_b=q, rep_out=q, weights="shared", depthwise=False),
    kernels.Bessel: dict(number=4, cutoff=3.0),
    kernels.Gaussians: dict(number=4, cutoff=3.0),
    kernels.Logarithmic: dict(number=4, mu=1.0, largest=9.0),
    kernels.Masses: dict(number=4, least=1.0, most=2.0),
    kernels.RadialMLP: dict(basis=rad(), hidden=4, number=3, scale=1.0),
    kernels.RestFrame: dict(gaussians=3, cutoff=2.0, powers=1),
    kernels.SteerableKernel: dict(rep_in=p, rep_out=p, degree=2, mu=0.0),
    kernels.angular_basis: dict(a=a, b=a, degree=2),
    kernels.elements: dict(a=a, b=a, degree=2),
    kernels.level: dict(a=a),
    kernels.radial_profiles: dict(group=O2, size=3, degree=1),
    kernels.sampled_basis: dict(a=b, b=b, size=3, degree=2),
    harmonics.Harmonics: dict(group=O3, degree=2, normalize=True, normalization="norm", mu=0.0),
    harmonics.harmonics: dict(group=O3, x=x, degree=2, normalize=True, normalization="norm"),
    harmonics.rep: dict(group=O3, degree=2),
    harmonics.restricted: dict(group=C4, degree=2),
    harmonics.path: dict(irrep=a),
    harmonics.matrices: dict(rep=q, vectors=torch.eye(3)),
    graphs.batch_index: dict(sizes=[2, 3]),
    graphs.complete_graph: dict(sizes=[2, 3], loops=False),
    graphs.knn_graph: dict(positions=x, k=2, batch=None, loops=False),
    graphs.radius_graph: dict(positions=x, cutoff=1.0, batch=None, loops=False),
    graphs.neighbours: dict(positions=x, cutoff=1.0, cell=None, pbc=None, batch=None, loops=False),
    models.AngularNetwork: dict(rep=O3.rep("4x0e"), degree=1, layers=1, radial=rad, neighbours=2.0),
    models.Committee: dict(members=[lin]),
    models.ComplexRanker: dict(
        kinds=3,
        group=O3,
        features="2x0e+1o",
        read="2x0e",
        degree=1,
        channels=2,
        atom_layers=1,
        residue_layers=1,
        neighbours=3,
        cutoff=8.0,
        contact=12.0,
        radial=3,
        dropout=0.0,
    ),
    models.CoordinateMLP: dict(points=4, outputs=2, hidden=[4], differences=False),
    models.DeepSets: dict(width=4, classes=2),
    models.DenseGraphs: dict(hidden=[4], sort=False, nodes=4),
    models.EquivariantMLP: dict(rep_in=q, rep_hidden=q, rep_out=q, layers=1, products=2),
    models.GraphNetwork: dict(channels=1, width=4, steps=1, outputs=1),
    models.GroupCNN: dict(group=C4, channels=(2, 2), kernel_size=3, classes=2, norm=True, pool=None),
    models.HarmonicNet: dict(group=groups.SO2(), hidden=("2x0+1",), classes=2, kernel_size=3, channels=1, pool=None),
    models.JetTransformer: dict(width=4, layers=1, heads=2, hidden=4, dropout=0.0, classes=2),
    models.LorentzGroupNetwork: dict(
        group=L, irreps=["(1,1)"], channels=(1, 1), scalars=2, hidden=2, classes=2, mu=5.0, products=True
    ),
    models.ParticleNet: dict(neighbours=3, channels=((4, 4, 4),), hidden=4, classes=2, dropout=0.1),
    models.PlainCNN: dict(width=2, blocks=1, classes=2, kernel_size=3, channels=1, pool=None, dimensions=2, first=None),
    models.PairMLP: dict(outputs=1, hidden=[2]),
    models.SteerableCNN: dict(
        group=O2,
        hidden=["2x0e+1"],
        classes=2,
        invariants=4,
        kernel_size=3,
        activation="norm",
        samples=None,
        pool=(),
        halve=(),
        mask=None,
        restrict=None,
        norm=True,
        dropout=0.0,
        channels=1,
    ),
    models.TensorFieldNetwork: dict(
        rep_in=q,
        rep_out=q,
        hidden=[q],
        degree=1,
        radial=rad,
        mu=0.0,
        neighbours=2.0,
        self_interaction=True,
        channels=None,
        residual=False,
    ),
    models.VolumeCNN: dict(group=O3, hidden=["2x0e+1o"], classes=2, kernel_size=3, channels=1, pool=None),
    models.dense_reader: dict(width=4, size=5),
    models.hidden_rep: dict(rep_in=q, rep_out=q, channels=40, max_dim=8),
    training.Recipe: dict(
        epochs=1, batch_size=2, lr=1e-3, weight_decay=0.0, clip=1.0, best=None, every=1, every_steps=None
    ),
    training.auc: dict(scores=[0.1, 0.9], labels=[0, 1]),
    training.bootstrap: dict(values=[1.0, 2.0], level=0.9, resamples=10, seed=0),
    training.roc: dict(scores=[0.1, 0.9], labels=[0, 1]),
    training.rejection: dict(scores=[0.1, 0.9], labels=[0, 1], efficiency=0.5),
    training.paired: dict(a=[1.0, 2.0], b=[2.0, 3.0], level=0.9, resamples=10, seed=0),
    testing.equivariance_error: dict(f=nn.Linear(q, q), rep_in=q, rep_out=q, samples=2, seed=0, scale=1.0),
    testing.blobs: dict(rep=p, reach=4.0, width=2.0, number=2, seed=0),
    testing.grid_symmetries: dict(group=C4),
    models.PhononNet: dict(
        points=models.TensorFieldNetwork(O3.rep("4x0e"), O3.rep("4x0e"), [], 1, rad),
        elements=[1, 8],
        frequencies=5,
        weighted=True,
        placed=True,
        divided=True,
        dropout=0.0,
    ),
}


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([10**7, 2**31, 2**63 - 1, 2**63, -(2**63), 2**70]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=4),
    st.sampled_from(["\N{ARABIC-INDIC DIGIT TWO}", "0e", "1", "(1,0)", "same", "max", "component"]),
    st.binary(max_size=3),
    st.lists(st.one_of(st.integers(-2, 5), st.none(), st.floats()), max_size=3),
    st.tuples(st.integers(-1, 3), st.integers(-1, 3)),
    st.sampled_from(
        [np.array([1.5]), np.zeros((2, 2)), np.array(3), np.array([], dtype=object), np.float32(1), np.int64(3)]
    ),
    st.sampled_from([torch.zeros(2), torch.zeros(2, 3, dtype=torch.int64), torch.tensor(2), torch.tensor(1j)]),
    st.sampled_from([q, p, C4, SO3, a, L, O3.identity(), lin, rad, object(), {}, {1: C4}, 1j, int, Ellipsis]),
)
# Whole sentences of arguments that fit one by one and not together, whose refusal names a group, a rep or a cost.
TOGETHER = (
    "unknown simple type",
    "factors of",
    "an irrep of",
    "rep string",
    "acts on",
    "has no irrep",
    "belongs to",
    "entries would take",
    "is no subgroup",
    "is not compact",
    "expected last axis",
    "coordinates",
    "more than memory holds",
    "has no ",
    "no finite set",
    "dimensions fit",
    "embedding of",
    "acts trivially",
    "is none of",
    "expected reps",
    "irreps of",
    "a rep of",
    "are different functions",
    "generators",
    "matrices",
    "only one element tensors",  # int, for a function that is called with tensors, says so itself
)


class Slow(Exception):
    pass


def hurry(*_):
    raise Slow


@examples(150)
@given(st.data())
def test_arguments_are_taken_or_named(data):
    function = data.draw(st.sampled_from(sorted(CALLS, key=lambda f: (f.__module__, f.__name__))))
    arguments = dict(CALLS[function])
    changed = data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True))
    for name in changed:
        arguments[name] = data.draw(anything)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, hurry)
        signal.alarm(60)
    try:
        function(**arguments)
    except ValueError as error:
        said = str(error)
        assert any(name in said for name in arguments) or any(part in said for part in TOGETHER), said
    finally:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)


@pytest.mark.parametrize("function", CALLS, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_the_arguments_that_are_changed_are_right_to_begin_with(function):
    function(**CALLS[function])
