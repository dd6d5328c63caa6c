"""Wrong input is refused where it enters; each message names the argument, what came and what was expected."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eqlib import graphs, groups, harmonics, kernels, models, nn, products, testing, training

O3, SO3, O2, LORENTZ = groups.O3(), groups.SO3(), groups.O2(), groups.Lorentz()
REP = O3.rep("2x0e+1o")
IMAGE = O2.rep("0e")
HIDDEN = O2.rep("2x0e+3x1")
PIXELS = torch.zeros(1, 1, 5, 5)
POINTS = nn.PointConv(REP, REP, 1, kernels.Gaussians(2, 1.0))
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
PAIR = torch.tensor([[0, 1], [1, 0]])
ENDS = torch.tensor([0, 1])
SPACE_LIKE = torch.tensor([[1.0, 2.0, 0, 0]], dtype=torch.float64) @ torch.tensor(LORENTZ.coordinates.T)

TABLE = {
    "unknown label": (lambda: O3.irrep("3x"), "O3 has no irrep '3x': labels are 0e, 0o, 1e, 1o"),
    "label of another group": (lambda: O2.irrep("1o"), "O2 has no irrep '1o': labels are 0e, 0o and the frequencies"),
    "frequency too high": (
        lambda: groups.Cyclic(4).irrep("3"),
        "Cyclic(4) has no irrep '3': labels are the frequencies 0 ... 2",
    ),
    "odd Lorentz label": (lambda: LORENTZ.irrep("(2,1)"), "belongs to the double cover SL2C"),
    "k below n": (lambda: LORENTZ.irrep("(0,2)"), "k >= n"),
    "malformed rep string": (lambda: O3.rep("8x0e + + 1o"), "is malformed at ''"),
    "malformed term": (lambda: O3.rep("8*0e"), "O3 has no irrep '8*0e'"),
    "negative multiplicity": (
        lambda: O3.rep([(-1, "0e")]),
        "multiplicity in a rep of O3: got -1, expected a whole number >= 0",
    ),
    "irrep of another group": (lambda: O3.irrep(SO3.irrep("1")), "irrep 1 belongs to SO3, not to O3"),
    "reps of two groups added": (lambda: REP + IMAGE, "cannot add a rep of O2 to a rep of O3"),
    "reps of two groups in a layer": (
        lambda: nn.Linear(REP, IMAGE),
        "rep_in, rep_out: got reps of O3, O2, expected reps of one group",
    ),
    "reps of two groups of one name": (
        lambda: nn.Linear(*(groups.Finite([x], name="mine").rep("1a") for x in ([1, 0, 2], [1, 2, 0]))),
        "rep_in, rep_out: got reps of mine, another group called mine, expected reps of one group",
    ),
    "a matrix for an irrep": (
        lambda: O3.irrep("1o")(np.eye(3)),
        "g: got an array, expected an Element: G.from_matrix(R)",
    ),
    "a matrix for a rep": (lambda: REP(np.eye(3)), "g: got an array, expected an Element: G.from_matrix(R)"),
    "a tensor for a rep": (lambda: O3.rep("")(torch.eye(3)), "g: got Tensor, expected an Element: G.from_matrix(R)"),
    "a vector for the matrices of a rep": (
        lambda: harmonics.matrices(REP, torch.zeros(3)),
        "vectors: got (3,), expected (n, 3, 3) or (3, 3), matrices of O3.vector",
    ),
    "an irrep for a rep": (
        lambda: nn.Linear(REP, O3.trivial),
        "rep_out: got O3:0e, expected a Rep, as G.rep(...) makes it",
    ),
    "reps of two groups in a kernel": (
        lambda: kernels.SteerableKernel(REP, IMAGE, 1),
        "rep_in, rep_out: got reps of O3, O2, expected reps of one group",
    ),
    "wrong last axis": (
        lambda: nn.Linear(REP, REP)(torch.zeros(3, 4)),
        "x: got (3, 4), expected 5 entries on axis -1 for rep O3: 2x0e+1x1o",
    ),
    "a gate behind a layer that gives its rep": (
        lambda: torch.nn.Sequential(nn.GridConv(IMAGE, HIDDEN, 3), nn.Gate(HIDDEN))(PIXELS),
        "x: got (1, 8, 5, 5), expected 11 entries on axis -1 for gate.rep_in O2: 2x0e+3x1+3x0e, 8 of rep and 3 gates; "
        "let the layer before give gate.rep_in; pass axis=1: images carry features on axis 1",
    ),
    "the same gate on axis 1": (
        lambda: torch.nn.Sequential(nn.GridConv(IMAGE, HIDDEN, 3), nn.Gate(HIDDEN, axis=1))(PIXELS),
        "expected 11 entries on axis 1 for gate.rep_in O2: 2x0e+3x1+3x0e, 8 of rep and 3 gates; let the layer before give "
        "gate.rep_in",
    ),
    "the same gate with its rep_in": (
        lambda: torch.nn.Sequential(nn.GridConv(IMAGE, nn.Gate(HIDDEN).rep_in, 3), nn.Gate(HIDDEN))(PIXELS),
        "8 of rep and 3 gates; pass axis=1: images carry features on axis 1",
    ),
    "images for the last axis": (
        lambda: nn.NormActivation(HIDDEN)(torch.zeros(1, 8, 5, 5)),
        "expected 8 entries on axis -1 for rep O2: 2x0e+3x1; pass axis=1: images carry features on axis 1",
    ),
    "points for axis 1": (
        lambda: nn.Linear(HIDDEN, HIDDEN, axis=1)(torch.zeros(1, 5, 8)),
        "expected 8 entries on axis 1 for rep O2: 2x0e+3x1; pass axis=-1",
    ),
    "an axis that is not there": (
        lambda: nn.Gate(HIDDEN, axis=2)(torch.zeros(1, 11)),
        "x: got (1, 11), expected 11 entries on axis 2 for gate.rep_in O2: 2x0e+3x1+3x0e, 8 of rep and 3 gates; pass axis=-1",
    ),
    "pooled features of another rep": (
        lambda: nn.GridPool(HIDDEN)(PIXELS),
        "x: got (1, 1, 5, 5), expected 8 entries on axis 1 for rep O2: 2x0e+3x1",
    ),
    "pooled points": (
        lambda: nn.GridPool()(torch.zeros(2, 8)),
        "x: got (2, 8), expected two axes and the pixels of an image or a volume",
    ),
    "a pointwise function of what is none on the group": (
        lambda: nn.FourierActivation(HIDDEN),
        "are different functions; nn.Gate and nn.NormActivation take any rep",
    ),
    "pooling over the group of what is no function on it": (
        lambda: nn.GroupPool(O2.rep("0e+1+0e")),
        "expected one block for each irrep (groups.fields makes such a rep); nn.Invariants takes any rep",
    ),
    "wrong channel axis": (
        lambda: nn.GridConv(IMAGE, IMAGE, 3)(torch.zeros(1, 2, 5, 5)),
        "x: got (1, 2, 5, 5), expected 1 entries on axis 1 for rep O2: 1x0e",
    ),
    "wrong number of axes": (
        lambda: nn.GridConv(IMAGE, IMAGE, 3)(torch.zeros(1, 5, 5)),
        "x: got (1, 5, 5), expected images (batch, channels, height, width): O2 acts on 2 coordinates",
    ),
    "a group of space in the plane": (
        lambda: nn.GridConv(O3.rep("0e"), O3.rep("0e"), 3)(torch.zeros(1, 1, 5, 5)),
        "x: got (1, 1, 5, 5), expected volumes (batch, channels, x, y, z): O3 acts on 3 coordinates",
    ),
    "stride of nothing": (
        lambda: nn.GridConv(IMAGE, IMAGE, 3, stride=0),
        "stride: got 0, expected a whole number >= 1",
    ),
    "kernel that is not steerable": (
        lambda: nn.GridConv(IMAGE, IMAGE, 3).set_kernel(torch.arange(9.0).view(1, 1, 3, 3)),
        "expected a steerable one",
    ),
    "kernel of another shape": (
        lambda: nn.GridConv(IMAGE, IMAGE, 3).set_kernel(torch.zeros(1, 1, 5, 5)),
        "kernel: got shape (1, 1, 5, 5), expected (1, 1, 3, 3)",
    ),
    "mask of another size": (lambda: nn.CircularMask(9)(torch.zeros(1, 1, 8, 8)), "expected pixels (9, 9)"),
    "a module where a function makes one": (
        lambda: models.AngularNetwork(REP, 1, 1, kernels.Bessel(4, 3.0), 1.0),
        "expected a function of no arguments",
    ),
    "a function of one argument where none is given": (
        lambda: models.TensorFieldNetwork(REP, REP, [REP], 1, lambda x: x),
        "radial: got <function",
    ),
    "a network of no blocks": (lambda: models.GroupCNN(groups.Cyclic(4), []), r"channels: got []"),
    "samples for hours": (
        lambda: testing.equivariance_error(torch.relu, SO3.rep("1"), SO3.rep("1"), samples=10**7),
        "samples: got 10000000, expected a whole number from 0 to 10000",
    ),
    "gaussians beyond number": (lambda: kernels.RestFrame(10**7, 1.0), "gaussians: got 10000000"),
    "a cut-off whose square is none": (lambda: kernels.Bessel(2, 1e-204), "cutoff: got 1e-204, expected a positive"),
    "mask too small for its edge": (lambda: nn.CircularMask(1), "mask: size, edge, dimensions: got 1, 3.0, 2"),
    "pbc that is no truth value": (
        lambda: graphs.neighbours(torch.rand(2, 3), 1.0, torch.eye(3), O3.identity()),
        "expected truth values, one of each lattice vector",
    ),
    "best that is an array": (
        lambda: training.Recipe(epochs=1, batch_size=1, best=np.zeros((2, 2))),
        "best: got array",
    ),
    "resamples for hours": (lambda: training.bootstrap([1.0], resamples=10**7), "resamples: got 10000000"),
    "samples below zero": (
        lambda: testing.equivariance_error(torch.relu, SO3.rep("1"), SO3.rep("1"), samples=-1),
        "samples: got -1",
    ),
    "mask that is all edge": (lambda: nn.CircularMask(9, 5.0), "size, edge, dimensions: got 9, 5.0, 2"),
    "functions on a non-compact group": (
        lambda: nn.FourierActivation(LORENTZ.rep("(0,0)+(1,1)")),
        "Lorentz is not compact: no finite set of points is spread over it",
    ),
    "too many copies for one function": (
        lambda: nn.FourierActivation(O2.rep("2x0e+3x1")),
        "at most {'0e': 1, '1': 2} are different functions",
    ),
    "two blocks of one irrep": (
        lambda: nn.FourierActivation(O2.rep("0e+1+0e+1")),
        "rep: got O2: 1x0e+1x1+1x0e+1x1, expected one block for each irrep",
    ),
    "too few samples": (
        lambda: nn.FourierActivation(O2.rep("0e+1+2+3+4"), 4),
        "which do not tell functions of 9 components apart, expected 9 or more",
    ),
    "negative channels": (lambda: groups.fields(REP, -1), "channels: got -1, expected a whole number >= 0"),
    "dropout of everything": (lambda: nn.Dropout(REP, 1.5), "p: got 1.5, expected a probability below 1"),
    "features of no subgroup": (lambda: nn.Restrict(SO3.rep("1"), O3), "not in SO3"),
    "activation that there is none of": (
        lambda: models.SteerableCNN(O2, ["0e"], activation="relu"),
        "activation: got 'relu', expected one of ('fourier', 'gate', 'norm')",
    ),
    "p4 of an infinite group": (lambda: models.GroupCNN(O2), "O2 is infinite"),
    "even kernel, same": (
        lambda: nn.GridConv(IMAGE, IMAGE, 4),
        'kernel_size: got 4, expected an odd number where padding="same"',
    ),
    "NaN pixels": (
        lambda: nn.GridConv(IMAGE, IMAGE, 3)(torch.full((1, 1, 5, 5), torch.nan)),
        "x: got (1, 1, 5, 5) with NaN or infinite pixels, expected finite ones",
    ),
    "images for the Lorentz group": (
        lambda: nn.GridConv(LORENTZ.rep("(0,0)"), LORENTZ.rep("(0,0)"), 3),
        "rep_in: got a rep of Lorentz, which acts on 4 coordinates, expected a compact group of the plane or space",
    ),
    "not orthogonal": (
        lambda: SO3.from_matrix(np.diag([1.0, 1, 2])),
        "matrix of SO3 must be orthogonal: R^T R differs from 1 by 3",
    ),
    "improper": (lambda: SO3.from_matrix(-np.eye(3)), "matrix of SO3 must have determinant +1, got -1"),
    "matrix of NaN": (
        lambda: SO3.from_matrix(np.full((3, 3), np.nan)),
        "matrices of SO3: got NaN or infinite numbers, expected finite ones",
    ),
    "matrix of another shape": (
        lambda: SO3.from_matrix(np.eye(2)),
        "matrices: got shape (2, 2), expected (n, 3, 3) or (3, 3) for SO3",
    ),
    "turn that is not in C4": (
        lambda: groups.Cyclic(4).from_matrix(O2.matrix(O2.element([0.5]))),
        "no element of Cyclic(4)",
    ),
    "not a Lorentz matrix": (lambda: LORENTZ.from_matrix(2 * np.eye(4)), "must preserve the metric (+,-,-,-)"),
    "time reversal": (lambda: LORENTZ.from_matrix(-np.eye(4)), "must not reverse time"),
    "parity without parity": (
        lambda: LORENTZ.from_matrix(np.diag([1.0, -1, -1, -1])),
        "parity needs Lorentz(parity=True)",
    ),
    "space-like x": (
        lambda: harmonics.harmonics(LORENTZ, SPACE_LIKE, 2),
        "x: got x.x <= 0, expected time-like x (x.x > 0) where normalize=True",
    ),
    "integer x": (
        lambda: harmonics.harmonics(O3, torch.zeros(1, 3, dtype=torch.int64), 2),
        "x: got torch.int64, expected floating point numbers",
    ),
    "x of another length": (
        lambda: harmonics.harmonics(O3, torch.zeros(1, 4), 2),
        "x: got (1, 4), expected last axis 3",
    ),
    "unknown normalization": (
        lambda: harmonics.harmonics(O3, torch.zeros(1, 3), 2, normalization="l2"),
        "normalization: got 'l2', expected one of",
    ),
    "integral over a hyperboloid": (
        lambda: harmonics.Harmonics(LORENTZ, 1, normalization="integral"),
        "is not compact",
    ),
    "coordinates of another length": (
        lambda: SO3.element([1.0, 2.0]),
        "coordinates: got shape (2,), expected (n, 3) or (3,) for an element of SO3",
    ),
    "component out of range": (lambda: O3.element(np.zeros(3), 2), "component: got 2, expected 0 ... 1 for O3"),
    "elements of two groups": (
        lambda: SO3.identity() * O3.identity(),
        "cannot multiply an element of SO3 by one of O3",
    ),
    "element of another group": (
        lambda: SO3.irrep("1")(O3.identity()),
        "an element of O3 was given to an irrep of SO3",
    ),
    "regular rep of an infinite group": (lambda: groups.regular(SO3), "SO3 is infinite"),
    "restriction to no subgroup": (
        lambda: groups.restrict(groups.Cyclic(4).rep("1"), groups.SO2()),
        "no subgroup of Cyclic(4)",
    ),
    "groups of other spaces": (
        lambda: groups.restrict(O3.rep("1o"), O2),
        "O2 acts on 2 coordinates and O3 on 3: give the embedding",
    ),
    "unknown simple type": (lambda: groups.Simple("H4"), "unknown simple type 'H4': there are A1.., B2.., C2.., D3.."),
    "E9": (lambda: groups.weights.dimension("E9", (1,)), "unknown simple type 'E9'"),
    "rank zero": (lambda: groups.Simple("A0"), "unknown simple type 'A0'"),
    "type that is no string": (lambda: groups.Simple(8), "unknown simple type '8'"),
    "Spin(4)": (lambda: groups.Spin(4), "Spin(4) is not simple: it is SU(2) x SU(2)"),
    "SU(1)": (lambda: groups.SU(1), "n of SU(n): got 1, expected a whole number >= 2"),
    "Sp(5)": (lambda: groups.Sp(5), "n of Sp(n): got 5, expected an even one"),
    "too few Dynkin labels": (
        lambda: groups.G2().irrep("(1)"),
        "G2 has no irrep '(1)': labels are 2 Dynkin labels, whole numbers from 0 to 1000000, such as (1,0)",
    ),
    "too many Dynkin labels": (lambda: groups.weights.dimension("A2", (1, 0, 0)), "A2 has no irrep (1, 0, 0)"),
    "negative Dynkin label": (lambda: groups.weights.tensor_product("A2", (1, -1), (1, 0)), "no irrep (1, -1)"),
    "fractional Dynkin label": (lambda: groups.weights.multiplicities("A2", (0.5, 1)), "no irrep (0.5, 1)"),
    "Dynkin label in words": (lambda: groups.SU(3).irrep("8"), "A2 has no irrep '8'"),
    "negative label in a string": (lambda: groups.SU(3).irrep("(-1,2)"), "A2 has no irrep '(-1,2)'"),
    "invariants of a negative power": (
        lambda: groups.weights.invariants("A2", (1, 1), -1),
        "power: got -1, expected a whole number >= 0",
    ),
    "coordinates of SU(3)": (lambda: groups.SU(3).vector, "A2 acts on no coordinates"),
    "module too large": (lambda: groups.E8().irrep("(1,0,0,0,0,0,0,1)").sparse_generators(), "up to dimension 60000"),
    "generators too large": (lambda: O3.irrep("5000e").generators, "5.0e+08 entries would take 4.0 GB, more than 2.1"),
    "dense tensor too large": (
        lambda: replace(O3.clebsch_gordan("1o", "1o", "1e"), shape=(1, 248, 248, 3875)).dense(),  # as large as E8's
        "takes 1.8 GiB, more than 1: use indices and values",
    ),
    "images that are no roots": (
        lambda: groups.embed_roots(groups.SU(3), groups.G2(), [(0, 1), (5, 1)]),
        "(5, 1) is no root of G2",
    ),
    "images that are not simple": (
        lambda: groups.embed_roots(groups.SU(3), groups.G2(), [(0, 1), (3, 2)]),
        "are not simple roots of A2 in G2",
    ),
    "images of the wrong number": (
        lambda: groups.embed_roots(groups.SU(3), groups.G2(), [(0, 1)]),
        "images: got [(0, 1)], expected 2 roots of G2, 2 whole numbers each",
    ),
    "generators that do not close": (
        lambda: groups.from_generators(SO3.irrep("1").generators[:2]),
        "generators do not close: [X_0, X_1] is 1 away from their span",
    ),
    "generators that depend on each other": (
        lambda: groups.from_generators([TURN, 2 * TURN]),
        "generators: got 2 matrices that span 1 dimensions, expected independent ones",
    ),
    "generators of no compact group": (
        lambda: groups.from_generators([[[0.0, 1], [0, 0]]]),
        "no inner product is invariant",
    ),
    "generators that are not square": (
        lambda: groups.from_generators(np.zeros((2, 2, 3))),
        "generators: got shape (2, 2, 3), expected (n, d, d) with the same d >= 1 in both",
    ),
    "an algebra of NaN": (
        lambda: groups.from_generators(np.full((1, 2, 2), np.nan)),
        "generators: got NaN or infinite numbers, expected finite ones",
    ),
    "components without the identity": (
        lambda: groups.from_generators([TURN], [np.diag([1.0, -1])]),
        "discrete: got another first matrix, expected the identity, then one matrix for each other component",
    ),
    "component that moves the algebra": (
        lambda: groups.from_generators([TURN], [np.eye(2), np.diag([1.0, 2])]),
        "discrete matrix 1 does not map the Lie algebra onto itself",
    ),
    "component without its inverse": (
        lambda: groups.from_generators([TURN], [np.eye(2), -0.5 * np.eye(2)]),
        "discrete matrices 1 and 1 have a product that is not among them",
    ),
    "representation too large to split": (
        lambda: groups.from_generators(groups.SU(3).rep("4x(2,2)").generators()),
        "dimension 108",
    ),
    "no generators": (
        lambda: groups.Finite([]),
        "generators: got none, expected at least one permutation or matrix (the identity will do)",
    ),
    "a generator that grows": (
        lambda: groups.Finite([[[0, -2], [2, 0]]]),
        "matrix 0 of the generators makes an infinite group",
    ),
    "no limit": (lambda: groups.Finite([[1, 0]], limit=0), "limit: got 0, expected a whole number >= 1"),
    "not a permutation": (
        lambda: groups.Finite([[1, 2, 0], [0, 0, 2]]),
        "generators: got [0, 0, 2], expected a permutation of 3 points: each of 0 ... 2 once",
    ),
    "a permutation counted from one": (
        lambda: groups.Finite([[1, 2, 3]]),
        "generators: got [1, 2, 3], expected a permutation of 3 points: each of 0 ... 2 once",
    ),
    "permutations of two lengths": (
        lambda: groups.Finite([[1, 0], [1, 2, 0]]),
        "generators: got shapes (2,), (3,), expected permutations of one length or square matrices of one size",
    ),
    "a permutation and a matrix": (lambda: groups.Finite([[1, 0], np.eye(2)]), "got shapes (2,), (2, 2)"),
    "matrices that are not square": (
        lambda: groups.Finite([np.ones((2, 3))]),
        "generators: got float64 (2, 3), expected square matrices of numbers",
    ),
    "permutations that make too much": (
        lambda: groups.Finite([[1, 2, 3, 4, 5, 6, 0], [1, 0, 2, 3, 4, 5, 6]]),
        "generators make more than limit=2000 elements: raise the limit if the group is meant to be larger",
    ),
    "matrices that do not close": (
        lambda: groups.Finite([[[1, 1], [0, 1]]], limit=100),
        "generators make more than limit=100 elements",
    ),
    "two turns that do not close": (
        lambda: groups.Finite([[[0, -1], [1, 0]], [[0, -1], [1, 1]]]),
        "generators do not close: a product of them has trace",
    ),
    "a turn by one radian": (
        lambda: groups.Finite([[[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]]),
        "generators do not close: two products of them differ by",
    ),
    "a third of a turn to four digits": (
        lambda: groups.Finite([[[-0.5, -0.86603], [0.86603, -0.5]]]),
        "or is given to too few digits: the modulus of an eigenvalue differs from 1 by 4e-06",
    ),
    "a third of a turn to eight digits": (
        lambda: groups.Finite([[[-0.5, -0.86602540], [0.86602540, -0.5]]]),
        "generators do not close: two products of them differ by 1e-08 only",
    ),
    "not invertible": (
        lambda: groups.Finite([np.eye(2), np.ones((2, 2))]),
        "matrix 1 of the generators is not invertible",
    ),
    "generators of NaN": (
        lambda: groups.Finite([np.full((2, 2), np.nan)]),
        "generators: got NaN or infinite numbers in matrix 0, expected finite ones",
    ),
    "label of a finite group": (
        lambda: groups.Symmetric(3).irrep("3a"),
        "Symmetric(3) has no irrep '3a': labels are the dimension and a letter, here 1a, 1b, 2a",
    ),
    "harmonics of permutations": (
        lambda: harmonics.rep(groups.Symmetric(3), 1),
        "Symmetric(3) has no harmonics of its own",
    ),
    "coordinates of permutations": (lambda: groups.Symmetric(3).vector, "Symmetric(3) acts on no coordinates"),
    "S_7": (lambda: groups.Symmetric(7), "n of Symmetric(n): got 7, expected a whole number from 1 to 6"),
    "a permutation that is not in the group": (
        lambda: groups.Finite([[1, 2, 0]], name="C3").find([1, 0, 2]),
        "elements: got [1, 0, 2], expected elements of C3",
    ),
    "a permutation of another length": (
        lambda: groups.Symmetric(3).find([1, 0]),
        "elements: got shape (2,), expected (3,) for Symmetric(3)",
    ),
    "a product of no groups": (
        lambda: groups.Product(O3, 3),
        "factors of Product(G, H): got O3 and 3, expected two groups",
    ),
    "label of a product": (
        lambda: groups.Product(O3, O2).irrep("1o*1"),
        "labels are (a)*(b) for a of O3 and b of O2, such as (0e)*(0e)",
    ),
    "label of a product's factor": (lambda: groups.Product(O3, O2).irrep("(1o)*(1o)"), "O2 has no irrep '1o'"),
    "a prime where nothing splits": (
        lambda: groups.Product(O3, O2).irrep("(1o)*(1)'"),
        "primed only where both are of complex type",
    ),
    "an element lifted from another factor": (
        lambda: groups.Product(O3, O2).lift(1, O3.identity()),
        "g of lift(1, g): got an element of O3, expected one of O2",
    ),
    "induction of infinite index": (
        lambda: groups.induce(groups.Octahedral().rep("1a"), O3),
        "Octahedral has no finite index in O3: their dimensions are 0 and 3",
    ),
    "induction from a covering group": (
        lambda: groups.induce(groups.SL2C().rep("(1,0)"), LORENTZ),
        "4 of 4 dimensions fit none of the first 52 irreps of Lorentz",  # soon, not after minutes
    ),
    "induction from what is no subgroup": (
        lambda: groups.induce(
            groups.Symmetric(3).rep("1a"),
            groups.Symmetric(3),
            groups.Embedding(np.zeros((0, 0)), groups.Symmetric(3).identity(6)),
        ),
        "takes two components of Symmetric(3) to one of Symmetric(3)",
    ),
    "multiplicity in a group that is not compact": (
        lambda: groups.induced_multiplicity(LORENTZ.rep("(1,1)"), groups.Lorentz(parity=True).irrep("(1,1)")),
        "rep: got one of Lorentz, expected one of a compact group: induction has no multiplicities otherwise",
    ),
    "multiplicity of a label": (
        lambda: groups.induced_multiplicity(SO3.rep("1"), "1o"),
        "irrep: got '1o', expected an Irrep of the larger group, such as G.irrep(label)",
    ),
    "C_0": (lambda: groups.Cyclic(0), "n of Cyclic(n): got 0, expected a whole number from 1 to 100000"),
    "odd irreps from vectors": (
        lambda: harmonics.path(groups.SL2C().irrep("(1,0)")),
        "irrep: got (1,0), expected one that a product of vectors of SL2C holds",
    ),
    "wrong number of kernel weights": (
        lambda: kernels.SteerableKernel(REP, REP, 1)(torch.ones(2, 3), torch.ones(2)),
        "weights: got (2,), expected last axis",
    ),
    "unknown weights mode": (
        lambda: nn.TensorProduct(REP, REP, REP, weights="mine"),
        'weights: got \'mine\', expected "shared", "external" or None',
    ),
    "reps of two groups on points": (
        lambda: nn.PointConv(REP, IMAGE, 1, None),
        "rep_in, rep_out: got reps of O3, O2, expected reps of one group",
    ),
    "no radial module": (
        lambda: nn.PointConv(REP, REP, 1, torch.nn.SiLU()),
        "radial: got SiLU, expected None or a module with an integer .number",
    ),
    "no neighbours": (
        lambda: nn.PointConv(REP, REP, 1, None, neighbours=0),
        "neighbours: got 0, expected a positive and finite number",
    ),
    "negative degree": (
        lambda: nn.PointConv(REP, REP, -1, None),
        "degree: got -1, expected a whole number from 0 to 256",
    ),
    "features of another length": (
        lambda: POINTS(torch.zeros(2, 4), torch.zeros(2, 3), PAIR),
        "x: got (2, 4), expected 5 entries on axis -1 for rep O3: 2x0e+1x1o",
    ),
    "features with a batch axis": (
        lambda: POINTS(torch.zeros(1, 2, 5), torch.zeros(2, 3), PAIR),
        "x: got (1, 2, 5), expected (N, 5)",
    ),
    "points in the plane": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(2, 2), PAIR),
        "positions: got torch.float32 (2, 2), expected floating point (2, 3), a point for each row of x in components of",
    ),
    "as many points as features": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(3, 3), PAIR),
        "positions: got torch.float32 (3, 3), expected floating point (2, 3), a point for each row of x",
    ),
    "points of NaN": (
        lambda: POINTS(torch.zeros(2, 5), torch.full((2, 3), torch.nan), PAIR),
        "positions: got (2, 3) with NaN or infinite numbers, expected finite ones",
    ),
    "an edge to nowhere": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(2, 3), PAIR + 1),
        "edges: got points 1 ... 2, expected 0 ... 1",
    ),
    "a negative edge": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(2, 3), PAIR - 1),
        "edges: got points -1 ... 0, expected 0 ... 1",
    ),
    "fractional edges": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(2, 3), PAIR.float()),
        "edges: got torch.float32 (2, 2), expected torch.int64 (2, E)",
    ),
    "edges of three": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.int64)),
        "edges: got torch.int64 (3, 2), expected torch.int64 (2, E)",
    ),
    "edges in the plane": (
        lambda: POINTS(torch.zeros(2, 5), graphs.Edges(ENDS, ENDS, torch.zeros(2, 2), 2)),
        "edges.vectors: got (2, 2), expected last axis 3, components of O3.vector",
    ),
    "an edge from beyond the sources": (
        lambda: POINTS(torch.zeros(2, 5), graphs.Edges(ENDS + 1, ENDS, torch.zeros(2, 3), 2)),
        "edges.source: got 1 ... 2, expected 0 ... 1",
    ),
    "an edge from no source at all": (
        lambda: POINTS(torch.zeros(0, 5), graphs.Edges(ENDS, ENDS, torch.zeros(2, 3), 2)),
        "edges.source: got 0 ... 1, expected none: there are no points",
    ),
    "an edge beyond the targets": (
        lambda: POINTS(torch.zeros(2, 5), graphs.Edges(ENDS, ENDS, torch.zeros(2, 3), 1)),
        "target: got 0 ... 1, expected 0 ... 0",
    ),
    "edges of NaN": (
        lambda: POINTS(torch.zeros(2, 5), graphs.Edges(ENDS, ENDS, torch.full((2, 3), torch.nan), 2)),
        "vectors: got (2, 3) with NaN or infinite numbers, expected finite ones",
    ),
    "weights of other edges": (
        lambda: nn.PointConv(REP, REP, 1, None)(
            torch.zeros(2, 5), graphs.Edges(ENDS, ENDS, torch.zeros(2, 3), 2), torch.zeros(3, 9)
        ),
        "weights: got (3, 9), expected (2, 9), a row for each edge",
    ),
    "frames where channels are mixed": (
        lambda: nn.PointConv(REP, REP, 1, None, aligned=True),
        "aligned: got True for O3 with depthwise=False and mu=0.0, expected depthwise=True, mu=0 and a group that has an ",
    ),
    "frames with rounded harmonics": (
        lambda: nn.PointConv(REP, REP, 1, None, mu=1.0, depthwise=True, aligned=True),
        "aligned: got True for O3 with depthwise=True and mu=1.0",
    ),
    "frames of a group without an alignment": (
        lambda: nn.PointConv(LORENTZ.rep("(0,0)"), LORENTZ.rep("(1,1)"), 1, None, depthwise=True, aligned=True),
        "aligned: got True for Lorentz with depthwise=True and mu=0.0",
    ),
    "an engine that is none": (
        lambda: products.using("numpy").__enter__(),
        "engine: got 'numpy', expected one of ('torch', 'fast')",
    ),
    "weights for a layer that has some": (
        lambda: POINTS(torch.zeros(2, 5), torch.zeros(2, 3), PAIR, torch.zeros(2, POINTS.weight_numel)),
        "weights: got some in forward, expected them exactly where the layer has radial=None",
    ),
    "no weights for a layer without": (
        lambda: nn.PointConv(REP, REP, 1, None)(torch.zeros(2, 5), torch.zeros(2, 3), PAIR),
        "weights: got none in forward, expected them exactly where the layer has radial=None",
    ),
    "weights of another shape": (
        lambda: nn.PointConv(REP, REP, 1, None)(torch.zeros(2, 5), torch.zeros(2, 3), PAIR, torch.zeros(3, 8)),
        "weights: got (3, 8), expected (2, 9), a row for each edge",
    ),
    "space-like differences without mu": (
        lambda: nn.PointConv(LORENTZ.rep("(0,0)"), LORENTZ.rep("(1,1)"), 1, kernels.Gaussians(2, 1.0)).double()(
            torch.zeros(2, 1).double(),
            torch.cat([SPACE_LIKE, 0 * SPACE_LIKE]) @ torch.tensor(LORENTZ.coordinates.T),
            PAIR,
        ),
        "x: got x.x <= 0, expected time-like x (x.x > 0) where normalize=True and mu = 0",
    ),
    "reps of two groups in a network": (
        lambda: models.EquivariantMLP(REP, REP, IMAGE),
        "rep_in, rep_hidden, rep_out: got reps of O3, O3, O2, expected reps of one group",
    ),
    "no layers": (
        lambda: models.EquivariantMLP(REP, REP, REP, layers=0),
        "layers: got 0, expected a whole number from 1 to 1000",
    ),
    "half a product": (
        lambda: models.EquivariantMLP(REP, REP, REP, products=0.5),
        "products: got 0.5, expected a whole number from 1 to 1000",
    ),
    "nothing hidden": (
        lambda: models.EquivariantMLP(REP, O3.rep(""), REP),
        "rep_hidden: got O3: , expected a rep with entries",
    ),
    "features of another length in a network": (
        lambda: models.EquivariantMLP(REP, REP, REP)(torch.zeros(3, 4)),
        "x: got (3, 4), expected 5 entries on axis -1 for rep O3: 2x0e+1x1o",
    ),
    "too few channels for every irrep": (
        lambda: models.hidden_rep(REP, REP, 10),
        "channels: got 10, expected at least 4 x 5, the number of irreps times the largest dimension",
    ),
    "channels of no whole number": (
        lambda: models.hidden_rep(REP, REP, 384.0),
        "channels: got 384.0, expected a whole number >= 1",
    ),
    "reps of two groups for a hidden one": (
        lambda: models.hidden_rep(REP, IMAGE, 384),
        "rep_in, rep_out: got reps of O3, O2, expected reps of one group",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_refused_with_the_reason(case):
    call, message = TABLE[case]
    with pytest.raises(ValueError) as caught:  # the message is looked at whole
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: nn.GridConv(x, IMAGE, 3),
        lambda x: nn.PointConv(x, IMAGE, 1, None),
        lambda x: nn.Linear(x, IMAGE),
        lambda x: nn.TensorProduct(IMAGE, IMAGE, x),
        lambda x: kernels.SteerableKernel(x, IMAGE, 1),
        *(
            nn.Gate,
            nn.NormActivation,
            nn.FourierActivation,
            nn.BatchNorm,
            nn.LayerNorm,
            nn.Dropout,
            nn.GroupPool,
            nn.GridPool,
        ),
        nn.Invariants,
        lambda x: nn.Restrict(x, SO3),
        lambda x: models.EquivariantMLP(IMAGE, x, IMAGE),
    ],
)
def test_a_string_is_no_rep(make):
    with pytest.raises(ValueError, match=r"rep\w*: got '0e', expected a Rep: G.rep\('0e'\)"):
        make("0e")


@pytest.mark.parametrize(
    "options", [{}, {"depthwise": True, "aligned": False}, {"depthwise": True, "aligned": True}], ids=str
)
@pytest.mark.parametrize("engine", products.available())
def test_hard_input_of_points_is_no_error(engine, options):
    """Atoms in one place, no edges, an atom that sees none, one atom, no atom: finite, with finite gradients of two orders."""
    f = nn.PointConv(REP, REP, 2, kernels.Bessel(3, 2.0), **options)
    none = torch.zeros(2, 0, dtype=torch.int64)
    apart = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 50, 0]])
    cases = {
        "in one place": (torch.ones(3, 3), graphs.complete_graph([3], loops=True)),
        "no edges": (torch.ones(3, 3), none),
        "one alone": (apart, graphs.radius_graph(apart, 2.0)),
        "one atom": (torch.ones(1, 3), none),
        "one atom that sees itself": (torch.ones(1, 3), torch.zeros(2, 1, dtype=torch.int64)),
        "no atom": (torch.zeros(0, 3), none),
    }
    for name, (positions, pairs) in cases.items():
        x, positions = torch.ones(len(positions), 5).requires_grad_(), positions.requires_grad_()
        with products.using(engine):
            for way in ("positions", "edges", "shared edges"):
                edges = graphs.Edges.between(positions, pairs)
                edges = edges.sharing() if way == "shared edges" else edges
                y = f(x, positions, pairs) if way == "positions" else f(x, edges)
                assert y.shape == x.shape, name
                first = torch.autograd.grad(y.square().sum(), (x, positions), create_graph=True)
                second = torch.autograd.grad(sum(v.square().sum() for v in first), (x, positions))
                assert all(v.isfinite().all() for v in (y, *first, *second)), name
                if name == "one alone":
                    assert not y[2].any()


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_a_compiled_layer_writes_nowhere_else():
    """Compiled, nobody looks at indices before the engine does."""
    torch._dynamo.reset()
    f = nn.PointConv(REP, REP, 1, kernels.Gaussians(2, 1.0), depthwise=True)
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    x, positions = torch.ones(2, 5), torch.tensor([[0.0, 0, 0], [0, 1, 0]])

    assert compiled(x, positions, PAIR).isfinite().all()
    for engine in products.available():
        with (
            products.using(engine),
            pytest.raises((ValueError, IndexError, RuntimeError), match=r"index|source|target"),
        ):
            compiled(x, positions, PAIR + 1)
    broken = torch.tensor([[0.0, 0, 0], [0, torch.nan, 0]])
    for engine in products.available():
        with products.using(engine):
            assert compiled(x, broken, PAIR).isnan().any()  # a NaN is not hidden
