"""The map on edges in both engines, against one dense product for each edge, with derivatives up to the third."""

import threading

import numba
import pytest
import torch

from eqlib import products
from eqlib.products import EdgeMap, engines, in_numba, in_torch

ENGINES = products.available()
every_engine = pytest.mark.parametrize("engine", ENGINES)
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}
PLACES = ("x", "before", "w", "after")

# Every kind of block: row by row and column by column, odd and even widths, more than four columns, the identity, two blocks
# of the same entries, one that leads nowhere, one that comes from nowhere; coefficients of one to four weights; a weight (4)
# that nothing asks for.
FULL = EdgeMap(
    sizes=(18, 9, 5, 6),
    before=[
        [0, 7, 1, 2, 7, 0, 7], [-1, 0, 0, 2, 2, 7, 2], [14, 1, 3, 3, 6, 9, 4], [0, 2, 1, 2, 2, 15, 0], [-2, 1, 1, 0, 1, 17, 9],
    ],
    after=[[0, 1, 3, 3, 3, 0, 2], [-1, 0, 0, 1, 1, 3, 1], [9, 1, 1, 1, 1, 4, 0], [-2, 0, 1, 1, 0, 5, 5]],
    sums=[[(0, 1.0)], [(1, -0.5), (2, 2.0)], [(0, 0.3), (3, 1.0), (2, -1.0)], [(3, 1.0), (1, 0.5), (0, -2.0), (2, 1.0)]],
    pairs=[[(0, 0, 1), (1, 2, -1)], [(2, 7, -1)], [(3, 3, 1), (0, 8, 1), (4, 1, -1)], [(4, 6, 1), (1, 4, 1)]],
)  # fmt: skip


def dense(blocks, flat, rows, columns):
    """(E, rows, columns): each block's matrix where it stands."""
    out = [[flat.new_zeros(flat.shape[1])] * columns for _ in range(rows)]
    for first, step, into, height, width, at, to in blocks:
        for k in range(height):
            for i in range(width):
                if first >= 0:
                    out[to + k][at + i] = flat[first + k * step + i * into]
            if first == -1:
                out[to + k][at + k] = flat.new_ones(flat.shape[1])
    return torch.stack([torch.stack(row) for row in out]).permute(2, 0, 1)


def reference(tables, x, before, w, after, source, target, targets):
    """The same map as a matrix for each edge and channel, by torch's own gradients."""
    k0, k1, k2, k3 = tables.sizes
    mix = [[w.new_zeros(w.shape[1:])] * k1 for _ in range(k2)]
    for terms, pairs in zip(tables.sums, tables.pairs, strict=True):
        t = sum(factor * w[path] for path, factor in terms)
        for k, i, sign in pairs:
            mix[k][i] = mix[k][i] + sign * t
    mix = torch.stack([torch.stack(row) for row in mix])  # (k2, k1, channels or 1, E)
    y = torch.einsum("ekl,lue->kue", dense(tables.before, before, k1, k0), x[:, :, source])
    y = torch.einsum("klue,lue->kue", mix.expand(-1, -1, x.shape[1], -1), y)
    y = torch.einsum("ekl,lue->kue", dense(tables.after, after, k3, k2), y)
    return x.new_zeros(k3, x.shape[1], targets).index_add(2, target, y)


def inputs(tables=FULL, e=9, channels=3, points=4, targets=5, dtype=torch.float64, shared=False, seed=0):
    """Random numbers; edges in no order, with repeats; the last source and the last target have none."""
    rng = torch.Generator().manual_seed(seed)
    entries = [
        1 + max((b[0] + b[3] * b[4] - 1 for b in some if b[0] >= 0), default=-1)
        for some in (tables.before, tables.after)
    ]
    paths = 1 + max((path for terms in tables.sums for path, _ in terms), default=-1)
    shapes = (
        (tables.sizes[0], channels, points),
        (entries[0], e),
        (paths + 1, 1 if shared else channels, e),
        (entries[1], e),
    )
    x, before, w, after = (torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype) for shape in shapes)
    ends = [torch.randint(0, max(1, n - 1), (e,), generator=rng) for n in (points, targets)]
    return x, before, w, after, *ends, targets


def derivatives(f, args, wanted=PLACES):
    """The value and random combinations of its derivatives of first, second and third order."""
    places = [v.detach().clone().requires_grad_(name in wanted) for v, name in zip(args, PLACES, strict=False)]
    y = f(*places, *args[4:])
    rng, found = torch.Generator().manual_seed(1), [y]
    g = torch.randn(y.shape, generator=rng, dtype=torch.float64).to(y).requires_grad_()
    variables, total = [v for v in (*places, g) if v.requires_grad], (y * g).sum()
    for order in range(3):
        if not total.requires_grad:  # the map is linear in one place alone
            found += [torch.zeros_like(v) for v in variables]
            continue
        some = torch.autograd.grad(total, variables, create_graph=order < 2, allow_unused=True, materialize_grads=True)
        found += some
        total = sum((v * torch.randn(v.shape, generator=rng, dtype=torch.float64).to(v)).sum() for v in some)
    return [v.detach() for v in found]


def assert_close(found, expected, tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        if theirs.numel():
            assert (ours - theirs).abs().max() <= tolerance * max(1.0, float(theirs.abs().max()))


def test_both_engines_are_here():
    assert ENGINES == ("torch", "fast")


@every_engine
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shared", [False, True])
def test_equals_a_dense_product_with_three_derivatives(engine, dtype, shared):
    args = inputs(dtype=dtype, shared=shared)
    with products.using(engine):
        found = derivatives(FULL, args)
    expected = derivatives(lambda *a: reference(FULL, *a), args)
    assert_close(found, expected, TOLERANCE[dtype])
    assert all(v.abs().max() > 0.1 for v in expected)


@every_engine
@pytest.mark.parametrize("wanted", [("x",), ("before",), ("w",), ("after",), ("before", "after"), ("x", "w")])
def test_gradients_to_some_places_alone(engine, wanted):
    args = inputs()
    with products.using(engine):
        found = derivatives(FULL, args, wanted)
    assert_close(found, derivatives(lambda *a: reference(FULL, *a), args, wanted), 1e-12)


@every_engine
def test_gradcheck(engine):
    *places, source, target, targets = inputs(e=5, channels=2)
    places = [v.requires_grad_() for v in places]
    with products.using(engine):
        for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
            assert check(lambda *v: FULL(*v, source, target, targets), places, fast_mode=True)


@every_engine
def test_one_tensor_may_stand_at_both_places(engine):
    """As frames do: their gradient is the sum of both."""
    tables = EdgeMap((2, 2, 2, 2), [[0, 1, 2, 2, 2, 0, 0]], [[0, 2, 1, 2, 2, 0, 0]], [[(0, 1.0)]], [[(0, 1, 1)]])
    x, before, w, _, *rest = inputs(tables)
    with products.using(engine):
        found = derivatives(lambda x, d, w: tables(x, d, w, d, *rest), (x, before, w))
    assert_close(found, derivatives(lambda x, d, w: reference(tables, x, d, w, d, *rest), (x, before, w)), 1e-12)


@every_engine
@pytest.mark.parametrize(
    "sizes", [{"e": 0}, {"e": 0, "points": 0, "targets": 0}, {"channels": 0}, {"e": 0, "targets": 0}, {"e": 1}, {"channels": 1}],
    ids=str,
)  # fmt: skip
def test_nothing_is_no_special_case(engine, sizes):
    args = inputs(**sizes)
    with products.using(engine):
        found = derivatives(FULL, args)
    assert_close(found, derivatives(lambda *a: reference(FULL, *a), args), 1e-12)


@every_engine
def test_an_empty_map(engine):
    tables = EdgeMap((2, 0, 0, 1), [[-2, 1, 1, 0, 2, 0, 0]], [[-2, 0, 1, 1, 0, 0, 0]], [], [])
    args = inputs(tables)
    with products.using(engine):
        found = derivatives(tables, args)
    assert_close(found, [torch.zeros_like(v) for v in found], 0.0)


@every_engine
def test_targets_without_an_edge_and_order_of_edges(engine):
    x, before, w, after, source, target, targets = inputs(e=30)
    with products.using(engine):
        y = FULL(x, before, w, after, source, target, targets)
        assert not y[:, :, -1].any()
        assert y[:, :, :-1].any(dim=0).all()
        order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
        moved = FULL(x, before[:, order], w[..., order], after[:, order], source[order], target[order], targets)
        assert torch.allclose(moved, y, atol=1e-12)
        twice = [torch.cat([v, v], dim=-1) for v in (before, w, after, source, target)]
        assert torch.allclose(FULL(x, *twice, targets), 2 * y, atol=1e-12)


@every_engine
def test_inputs_in_any_layout(engine):
    x, before, w, after, source, target, targets = inputs()
    views = [v.mT.contiguous().mT for v in (x, before, w, after)] + [
        torch.stack([v, v], 1)[:, 0] for v in (source, target)
    ]
    assert not any(v.is_contiguous() for v in views)
    with products.using(engine):
        found = derivatives(FULL, (*views, targets))
        assert_close(found, derivatives(FULL, (x, before, w, after, source, target, targets)), 0.0)
        # One number for all channels and edges, not copied.
        spread = w[:, :1, :1].expand(-1, 3, 9)
        assert_close(
            [FULL(x, before, spread, after, source, target, targets)],
            [reference(FULL, x, before, spread, after, source, target, targets)],
            1e-12,
        )


@every_engine
@pytest.mark.parametrize("e", [255, 256, 257, 700])
def test_pieces_and_blocks(engine, e, monkeypatch):
    """More edges than fit into a block of one engine, or into a piece of the other."""
    monkeypatch.setitem(in_torch.ENTRIES, "cpu", 1)  # pieces of 256 at most
    args = inputs(e=e, channels=1)
    with products.using(engine):
        found = derivatives(FULL, args)
    assert_close(found, derivatives(lambda *a: reference(FULL, *a), args), 1e-11)


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("limit", [0, 10**6])
@pytest.mark.parametrize("short", [0, 10**6])
@pytest.mark.parametrize("shared", [False, True])
def test_layouts_and_matrices_in_torch(monkeypatch, channels_first, limit, short, shared):
    """Rows (edge, channel) or (channel, edge), matrices entry by entry or in a batch; weights laid out for either."""
    monkeypatch.setattr(in_torch, "SHORT", short)
    monkeypatch.setattr(in_torch, "CHANNELS", 10**6 if channels_first else 1)
    monkeypatch.setattr(in_torch, "NAIVE", limit)
    monkeypatch.setattr(in_torch, "MATRIX", limit)
    args = inputs(shared=shared)
    expected = derivatives(lambda *a: reference(FULL, *a), args)
    with products.using("torch"):
        assert_close(derivatives(FULL, args), expected, 1e-12)
        turned = (*args[:2], args[2].mT.contiguous().mT, *args[3:])
        assert_close(derivatives(FULL, turned), expected, 1e-12)


@pytest.mark.parametrize("made_for", ["torch", "fast"])
def test_one_engine_reads_what_the_other_laid_out(made_for, monkeypatch):
    """As in a compiled program that is run with another engine; a gradient is laid out as what it is the gradient of."""
    monkeypatch.setattr(in_torch, "CHANNELS", 1)
    x, before, w, after, source, target, targets = inputs()
    with products.using(made_for):
        w = engines.arranged(w)
    rest = (source, target, FULL.tables, [*FULL.sizes[1:], targets])
    g = torch.randn_like(torch.ops.eqlib.edge_map(x, before, w, after, *rest))
    found = []
    for engine in products.available():
        with products.using(engine):
            found.append(torch.ops.eqlib.edge_map_gradients(x, before, w, after, g, *rest, [True] * 4))
        assert found[-1][2].stride() == w.stride()
    assert_close(*found, 1e-12)


def test_memory_of_a_pass_is_given_back_or_kept_once():
    """The torch engine has one piece of memory for each dtype, whatever came first, also where that was without gradients."""
    x, before, w, after, source, target, targets = inputs(e=4)
    with products.using("torch"), torch.inference_mode():
        FULL(x, before, w, after, source, target, targets)
    for e in (300, 20, 300):
        args = inputs(e=e)
        with products.using("torch"):
            assert_close(derivatives(FULL, args), derivatives(lambda *a: reference(FULL, *a), args), 1e-11)
    sizes = in_torch._kept.of[torch.float64].numel()
    with products.using("torch"):
        derivatives(FULL, inputs(e=300))
    assert in_torch._kept.of[torch.float64].numel() == sizes


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_share_the_edges(two_threads, monkeypatch):
    args = inputs(e=5 * 256 + 7, channels=2)
    seen = set()

    def watched(run):
        def inner(*a):
            seen.add(threading.get_ident())
            return run(*a)

        return inner

    monkeypatch.setattr(in_numba, "WORTH", 10**12)
    one = derivatives(FULL, args)
    monkeypatch.setattr(in_numba, "WORTH", 1)
    for name in ("forward", "backward"):
        monkeypatch.setattr(in_numba, name, watched(getattr(in_numba, name)))
    two = derivatives(FULL, args)
    assert len(seen) > 1
    assert_close(two, one, 1e-12)
    assert_close(derivatives(FULL, args), two, 0.0)  # and the same bits when it runs again


@every_engine
def test_the_same_bits_every_time(engine):
    args = inputs(e=600, dtype=torch.float32)
    with products.using(engine):
        assert_close(derivatives(FULL, args), derivatives(FULL, args), 0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", range(4))
def test_nan_and_infinity_come_through(value, place):
    """A loss that has become NaN must be seen. Where they come out both engines agree."""
    args = list(inputs(e=40, points=9, targets=9, dtype=torch.float32))
    source, target = args[4:6]
    hit = source == source[0]
    args[place][..., source[0] if place == 0 else hit] = value
    reached = torch.zeros(9, dtype=torch.bool)
    reached[target[hit]] = True
    found = []
    for engine in ENGINES:
        with products.using(engine):
            y = FULL(*args)
            places = [v.clone().requires_grad_() for v in args[:4]]
            grads = torch.autograd.grad(FULL(*places, *args[4:]).sum(), places)
        assert (~y.isfinite()).any(dim=(0, 1)).equal(reached)
        assert sum(not g.isfinite().all() for g in grads) >= 3  # of the other three
        found.append([v.isnan() for v in (y, *grads)])
    if value != value:
        assert all(map(torch.equal, *found))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_torchs(dtype, monkeypatch):
    monkeypatch.setattr(in_numba, "edge_map", None)
    monkeypatch.setattr(in_numba, "edge_map_gradients", None)
    args = inputs(dtype=dtype)
    wide = [v.double() if v.is_floating_point() else v for v in args[:-1]]
    with products.using("fast"):
        y = FULL(*args)
        places = [v.requires_grad_() for v in args[:4]]
        grads = torch.autograd.grad(FULL(*args).sum(), places)
    assert y.dtype == dtype
    places = [v.requires_grad_() for v in wide[:4]]
    expected = reference(FULL, *wide, args[-1])
    theirs = torch.autograd.grad(expected.sum(), places)
    assert_close([v.detach().double() for v in (y, *grads)], [expected.detach(), *theirs], TOLERANCE[dtype])


@every_engine
@pytest.mark.parametrize("place", [4, 5])
@pytest.mark.parametrize("index", [-1, 5, 10**9])
def test_an_index_out_of_range_is_no_address(engine, place, index):
    """The loops do not look, and would read or write elsewhere. For torch alone -1 may be the last."""
    args = list(inputs())
    args[place] = torch.where(torch.arange(9) == 8, index, args[place])
    with products.using(engine):
        if engine == "fast":
            name, there = ("source", 4) if place == 4 else ("target", 5)
            with pytest.raises(ValueError, match=rf"{name}: got .*{index}.*, expected 0 \.\.\. {there - 1}"):
                FULL(*args)
        elif index > 0:
            with pytest.raises((IndexError, RuntimeError)):
                FULL(*args)


def test_engines_are_chosen_by_name(monkeypatch):
    with (
        pytest.raises(ValueError, match=r"engine: got 'cuda', expected one of \('torch', 'fast'\)$"),
        products.using("cuda"),
    ):
        pass
    args = inputs()
    monkeypatch.setattr(
        in_numba, "edge_map", None
    )  # is called where nothing else is asked for, or where it is asked for
    with products.using("torch"):
        FULL(*args)
        with pytest.raises(TypeError), products.using("fast"):
            FULL(*args)
        FULL(*args)
    with pytest.raises(TypeError):
        FULL(*args)


def test_compiles_where_nothing_can_be_cached(monkeypatch):
    plain, asked = numba.njit, []

    def njit(*functions, **how):
        asked.append(how.get("cache", False))
        if how.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return plain(*functions, **how)

    monkeypatch.setattr(numba, "njit", njit)

    def twice(x):
        return 2 * x

    found = in_numba.compiled(twice)
    assert asked == [True, False]
    assert found(3) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sums": [[(0, 1.0)]]}, "sums, pairs: expected one of each"),
        ({"sums": [[], *FULL.sums[1:]]}, "sums, pairs: expected one of each for each coefficient, none empty"),
        ({"before": FULL.before[:-1]}, r"before: got rows \[0, .* 16\] read, expected each of 0 ... 17 once"),
        (
            {"before": [*FULL.before, [-1, 0, 0, 1, 1, 0, 0]]},
            "before: got rows .* read, expected each of 0 ... 17 once",
        ),
        ({"after": FULL.after[:-1]}, r"after: got rows \[0, 1, 2, 3, 4\] read, expected|after: got rows .* written"),
    ],
)
def test_refused_tables(change, message):
    tables = {name: getattr(FULL, name) for name in ("sizes", "before", "after", "sums", "pairs")}
    with pytest.raises(ValueError, match=message):
        EdgeMap(**tables | change)
