"""A reader's images of digits: what is converted becomes what networks were trained on, and the rest is refused."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

from eqlib import data, files, models, training


@pytest.fixture(scope="module")
def splits():
    return data.digits(size=21)


@pytest.fixture(scope="module")
def images(splits):
    return splits.test.images[:60]


def converted(pixels, *said, **options):
    """as_images, and that its one warning says this and no more."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = data.as_images(pixels, **options)
    assert [str(w.message) for w in caught] == ([f"as_images: {', '.join(said)}"] if said else [])
    assert found.dtype == np.float32 and found.shape[1] == 1 and 0 <= found.min(initial=0) and found.max(initial=0) <= 1
    return found


def resized(images, side):
    many = [Image.fromarray(i[0]).resize((side, side), Image.Resampling.BICUBIC) for i in images]
    return np.stack([np.asarray(i) for i in many]).clip(0, 1)


def bytes_of(images):
    return np.rint(images * 255).astype(np.uint8)


LEVELS, INVERTED, GREY = "0 ... 255 to 0 ... 1", "dark ink inverted", "colours to grey"
ON_PAPER = "grey background to 0 and ink to 1"


def test_levels_ink_and_shape(images):
    assert np.array_equal(converted(images, size=21), images) and np.array_equal(converted(images), images)
    for form in (images[:, 0], torch.as_tensor(images), images.astype(np.float64)):
        assert np.array_equal(converted(form), images)
    assert np.array_equal(converted(images[3, 0]), images[3:4])
    np.testing.assert_allclose(converted(bytes_of(images), LEVELS), images, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(converted(bytes_of(images).astype(np.int64), LEVELS), images, atol=0.5 / 255 + 1e-6)
    for ink in ("auto", "dark"):
        np.testing.assert_allclose(converted(1 - images, INVERTED, ink=ink), images, atol=1e-6)
    np.testing.assert_allclose(converted(255 - bytes_of(images), LEVELS, INVERTED), images, atol=0.5 / 255 + 1e-6)
    assert np.array_equal(converted(images[:, 0] > 0.5), images > 0.5)
    mixed = np.where(np.arange(60)[:, None, None, None] % 2, images, 1 - images)
    np.testing.assert_allclose(converted(mixed, INVERTED), images, atol=1e-6)
    with pytest.raises(AssertionError):  # told that the ink is bright, it leaves the images alone
        np.testing.assert_allclose(converted(1 - images, "grey background to 0 and ink to 1", ink="bright"), images)


def test_colours_transparency_and_files(images, tmp_path):
    grey = bytes_of(images[:, 0])
    colour = np.repeat(grey[..., None], 3, -1)
    np.testing.assert_allclose(converted(colour, LEVELS, GREY), images, atol=3e-3)
    np.testing.assert_allclose(converted(colour[3], LEVELS, GREY), images[3:4], atol=3e-3)
    for ink, said in ((0, [INVERTED]), (255, [])):  # a drawing without paper, in black or in white
        drawn = np.concatenate([np.full_like(colour, ink), grey[..., None]], -1)
        np.testing.assert_allclose(converted(drawn, LEVELS, GREY, *said), images, atol=3e-3)
    paths = []
    for i in range(3):
        Image.fromarray(255 - grey[i]).save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    expected = pytest.approx(images[:3], abs=3e-3)
    assert converted(paths, LEVELS, INVERTED) == expected
    assert converted([str(path) for path in paths], LEVELS, INVERTED) == expected
    assert converted([Image.open(path) for path in paths], LEVELS, INVERTED) == expected
    assert converted(paths[0], LEVELS, INVERTED) == pytest.approx(images[:1], abs=3e-3)
    for mode, said in (("P", GREY), ("RGB", GREY), ("RGBA", GREY)):
        assert converted(Image.open(paths[1]).convert(mode), LEVELS, said, INVERTED) == pytest.approx(
            images[1:2], abs=5e-3
        )
    assert converted(Image.open(paths[1]).convert("1", dither=0), INVERTED).max() == 1
    with pytest.raises(FileNotFoundError):
        data.as_images(tmp_path / "none.png")


def test_grey_paper_becomes_zero(images):
    scanned = 0.85 - 0.75 * images
    np.testing.assert_allclose(
        converted(scanned, INVERTED, "grey background to 0 and ink to 1"),
        images / images.max((2, 3))[..., None, None],
        atol=2e-3,
    )


@pytest.mark.parametrize("side", [28, 42, 64])
def test_another_size_with_the_digit_where_it_was(images, side):
    found = converted(resized(images, side), f"{side} x {side} to 21 x 21 pixels", size=21)
    apart = np.abs(found - images)
    assert apart.mean() < 0.012
    assert np.mean(apart.max((1, 2, 3)) < 0.25) > 0.95  # a few of an unusual extent are resampled


def test_neighbours_read_resampled_digits_as_well(splits):
    """Digits of any size at any place, upright and turned, and drawings of ink and paper alone; upright ones: 98 % are right."""
    rng, test, labels = np.random.default_rng(0), splits.test.images[:150], splits.test.labels[:150]

    def accuracy(x, known=splits.train.images):
        found = models.nearest_neighbour([known], splits.train.labels, np.asarray(x, dtype=np.float32))
        return (found == labels).mean()

    def placed(images, factor, side, crisp):
        out = np.zeros((len(images), side, side))
        for page, image in zip(out, images[:, 0], strict=True):
            large = ndimage.zoom(image, factor, order=3)
            row, column = rng.integers(0, side - len(large), 2)
            page[row : row + len(large), column : column + len(large)] = large > 0.5 if crisp else large.clip(0, 1)
        return 1 - out

    right = accuracy(test)
    raw = np.stack([resized(image[None, None], 21) for image in placed(test, 3, 130, False)])
    assert right > 0.95 and accuracy(1 - raw) < 0.5
    for factor, side, crisp in ((1, 60, False), (3, 130, False), (6, 280, True)):
        pages = placed(test, factor, side, crisp)
        found = converted(pages, INVERTED, f"{side} x {side} to 21 x 21 pixels", size=21)
        assert accuracy(found) > right - 0.035, (factor, side, accuracy(found))
    # Without grey levels of its own a drawing gets those of the training digits, in edges as wide as theirs.
    edges = [((x > 0.2) & (x < 0.8)).sum() / (x > 0.2).sum() for x in (found, test)]
    assert abs(edges[0] - edges[1]) < 0.1


@pytest.mark.parametrize("degrees", [0, 45, 100])
def test_a_turned_digit_keeps_its_size(images, degrees):
    """About the digit: as large as an upright one, because the extent is measured in all directions."""
    turned = data.rotate(images, np.full(60, np.deg2rad(degrees))).clip(0, 1)
    far = np.pad(turned, ((0, 0), (0, 0), (0, 30), (20, 0)))
    found = converted(far[:, 0, :, :41], "51 x 41 to 21 x 21 pixels", size=21)

    def radius(x):
        y = np.indices(x.shape[-2:]) - 10
        return np.sqrt((x * (y**2).sum(0)).sum((1, 2, 3)) / x.sum((1, 2, 3)))

    ratio = radius(found) / radius(turned)
    assert abs(ratio.mean() - 1) < 0.03 and ratio.std() < 0.06


def test_mnists_size_has_mnists_place(images):
    """28 pixels: the digit takes 20 of them and its centre of mass is the image's."""
    far = np.pad(images, ((0, 0), (0, 0), (0, 30), (30, 0)))
    found = converted(far, "51 x 51 to 28 x 28 pixels", size=28)[:, 0]
    at = np.indices((28, 28)) - 13.5
    assert np.abs((found[:, None] * at).sum((2, 3)) / found.sum((1, 2))[:, None]).max() < 0.2
    rows = [np.ptp(np.nonzero((image > 0.3).any(1))[0]) + 1 for image in found]
    assert 19 < np.mean(rows) < 21.5  # blurred edges reach a little farther


def test_a_picture_without_ink_is_refused(images):
    assert converted(np.zeros((0, 21, 21)), size=21).shape == (0, 1, 21, 21)
    paper = 200 + 5 * np.random.default_rng(0).normal(size=(200, 300))  # a photo of a blank page
    assert np.ptp(paper) > 0.1 * 255
    blank = [np.zeros((2, 30, 30)), np.zeros((21, 21)), np.full((1, 40, 40), 255, np.uint8), paper.astype(np.uint8)]
    blank += [np.concatenate([images[:, 0], np.full((1, 21, 21), 0.01)]), Image.new("RGBA", (64, 64), "white")]
    for pixels in blank:
        with pytest.raises(ValueError, match=r"^pixels: got a picture without ink, expected a digit$"):
            data.as_images(pixels, size=21)
    faint = np.where(np.pad(images[0, 0] > 0.5, 9), 150, 200)
    assert converted(faint, LEVELS, INVERTED, ON_PAPER, "39 x 39 to 21 x 21 pixels", size=21).max() > 0.9


def drawn(digit, pen, paper=255):
    """A digit of 110 pixels' height, upright, somewhere on a page of 300 x 200."""
    page = Image.new("L", (300, 200), paper)
    to = ImageDraw.Draw(page)
    strokes = {
        1: [[(113, 75), (140, 44), (140, 146)]],
        2: [[(120, 70), (125, 52), (140, 44), (158, 50), (166, 72), (155, 95), (113, 146), (172, 146)]],
        4: [[(155, 146), (155, 44), (112, 112), (172, 112)]],
    }
    for stroke in strokes.get(digit, []):
        to.line(stroke, fill=40, width=pen, joint="curve")
    for box in {0: [(106, 40, 174, 150)], 8: [(112, 40, 168, 94), (106, 84, 174, 150)]}.get(digit, []):
        to.ellipse(box, outline=40, width=pen)
    return page


@pytest.mark.parametrize("pen", [4, 8, 22])
def test_thin_strokes_are_made_as_wide_as_in_training(pen):
    """Left thin, these are sevens and nines to the network."""
    digits, thin = [0, 1, 2, 4], ["thin strokes made wider"] * (pen < 20)
    said = [LEVELS, INVERTED, ON_PAPER, "200 x 300 to 21 x 21 pixels", *thin]
    found = converted([drawn(digit, pen, 200) for digit in digits], *said, size=21)
    assert 0.6 < found.sum() / data.digits(size=21).test.images.sum((1, 2, 3)).mean() / len(digits) < 1.3
    net = training.load(files.checkpoint("digits-harmonic.pt")).network
    with torch.no_grad():
        assert (net(torch.as_tensor(found)).argmax(1).numpy() == digits).sum() >= 3
    assert "thin" not in str(caught(lambda: data.as_images(drawn(8, pen), 28)))  # MNIST's digits have thinner ones


def caught(call):
    """The one warning of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    (one,) = found
    return one


def test_the_warning_points_at_the_reader_s_line():
    prepare = training.load(files.checkpoint("digits-harmonic.pt")).prepare
    for call in (lambda: data.as_images(drawn(8, 20), 21), lambda: prepare(drawn(8, 20))):
        assert (caught(call).filename, caught(call).lineno) == (__file__, call.__code__.co_firstlineno)


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (np.zeros((21, 21)), {"ink": "blue"}, r'ink: got .blue., expected "auto", "bright" or "dark"'),
        (np.zeros((21, 21)), {"size": 5}, "size: got 5, expected at least 13 pixels"),
        (
            np.full((21, 21), 200.0),
            {},
            r"pixels: got numbers of 0 ... 200, expected 0 ... 1, or 0 ... 255 in an integer",
        ),
        (np.full((21, 21), -0.1), {}, r"pixels: got numbers of -0.1 ... 0"),
        (np.full((21, 21), np.nan), {}, r"pixels: got numbers of nan ... nan"),
        (np.full((21, 21), 16), {}, r"pixels: got whole numbers of 0 ... 16, expected 0 ... 255; divide other levels"),
        (np.full((21, 21), 256), {}, r"pixels: got whole numbers of 0 ... 256"),
        (np.full((21, 21), -1), {}, r"pixels: got whole numbers of -1 ... 0"),
        (np.zeros((2, 3, 21, 21)), {}, r"pixels: got shape \(2, 3, 21, 21\), expected"),
        (np.zeros(21), {}, r"pixels: got shape \(21,\), expected"),
        (np.zeros((2, 0, 21)), {}, r"pixels: got shape \(2, 0, 21\), expected"),
        (np.zeros((20, 30)), {}, r"pixels: got images of \[\(20, 30\)\] pixels, expected squares of one size"),
        (np.array([["a"]]), {}, r"pixels: got dtype <U1, expected numbers"),
        (
            np.full((21, 21), 0.5),
            {},
            r'pixels: got a border of mean 0.50, expected a bright or a dark one, or ink="bright"',
        ),
        (Image.new("I;16", (21, 21)), {}, "pixels: got a picture of mode I;16, expected 8 bits a channel"),
    ],
)
def test_what_could_mean_two_things_is_refused(pixels, options, message):
    with pytest.raises(ValueError, match=message):
        data.as_images(pixels, **options)


def test_check_images(splits, images):
    data.check_images(images, 21)
    data.check_images(torch.as_tensor(data.rotate(images, np.arange(60.0))), 21)  # splines overshoot
    data.check_images(data.digits(size=21, rotated=True).train.images, 21)
    data.check_images(images[:0], 21)
    for wrong, message in (
        (images * 255, r"images: got values of 0 ... 255, expected 0 ... 1: see data.as_images"),
        (images - 0.5, r"images: got values of -0.5 ... 0.5"),
        (np.where(np.arange(21) == 3, np.nan, images), "images: got values of nan"),
        (1 - images, "images: got a bright border in image 0, expected bright ink on 0"),
        (np.concatenate([images, 1 - images]), "images: got a bright border in image 60"),
        (images[..., :20], r"images: got shape \(60, 1, 21, 20\), expected \(n, 1, 21, 21\)"),
        (images[:, 0], r"images: got shape \(60, 21, 21\)"),
        (np.repeat(images, 3, 1), r"images: got shape \(60, 3, 21, 21\)"),
        (data.digits(size=25).test.images, r"images: got shape \(500, 1, 25, 25\), expected \(n, 1, 21, 21\)"),
    ):
        with pytest.raises(ValueError, match=message):
            data.check_images(wrong, 21)
