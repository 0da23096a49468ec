import numpy as np
import pytest
from PIL import Image

from trainables.datasets.image_folder import ImageFolder, read_square
from trainables.errors import DataError


def write(path, colour=(200, 100, 50), size=(40, 30), mode="RGB", image_format="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, image_format)


@pytest.fixture
def root(tmp_path):
    for number in range(10):
        write(tmp_path / "cat" / f"{number}.png", (number, 0, 0))
        write(tmp_path / "ant" / f"{number}.png", (100 + number, 0, 0))
    return tmp_path


def red_of(part):
    return part.images[:, 0, 0, 0].tolist()


def test_classes_are_split_into_train_and_test(root):
    train, test = (ImageFolder(root=root)._read(part) for part in ("train", "test"))
    assert train.classes == test.classes == ("ant", "cat")
    assert train.images.shape == (16, 32, 32, 3)
    assert train.images.dtype == np.uint8
    assert train.labels.tolist() == [0] * 8 + [1] * 8
    assert test.labels.tolist() == [0, 0, 1, 1]
    assert sorted(red_of(train) + red_of(test)) == [*range(10), *range(100, 110)]
    assert red_of(train)[:8] == sorted(red_of(train)[:8])


def test_the_split_depends_on_seed_and_fraction(root):
    assert red_of(ImageFolder(root=root)._read("test")) == red_of(ImageFolder(root=root)._read("test"))
    assert red_of(ImageFolder(root=root)._read("test")) != red_of(ImageFolder(root=root, test_seed=1)._read("test"))
    assert len(ImageFolder(root=root, test_fraction=0.5)._read("test").labels) == 10


def test_train_and_test_folders_are_used_as_given(tmp_path):
    for part, colours in (("train", (1, 2, 3)), ("test", (9,))):
        for name in ("dog", "bird"):
            for colour in colours:
                write(tmp_path / part / name / f"{colour}.png", (colour, 0, 0))
    assert red_of(ImageFolder(root=tmp_path)._read("train")) == [1, 2, 3, 1, 2, 3]
    assert red_of(ImageFolder(root=tmp_path)._read("test")) == [9, 9]
    assert ImageFolder(root=tmp_path)._read("test").classes == ("bird", "dog")


def test_a_single_train_folder_is_split(tmp_path):
    for name in ("dog", "bird"):
        for colour in range(10):
            write(tmp_path / "train" / name / f"{colour}.png", (colour, 0, 0))
    train, test = (ImageFolder(root=tmp_path)._read(part) for part in ("train", "test"))
    assert train.classes == test.classes == ("bird", "dog")
    assert (len(train.labels), len(test.labels)) == (16, 4)


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_a_validation_folder_is_refused(tmp_path, validation):
    for part in ("train", validation):
        for name in ("dog", "bird"):
            write(tmp_path / part / name / "0.png")
    with pytest.raises(DataError, match=rf"{validation}: the validation split is cut out .*rename the folder to test"):
        ImageFolder(root=tmp_path)._read("train")


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_in_only_one_of_train_and_test_is_named(tmp_path, part):
    for folder in ("train", "test"):
        for name in ("ant", "cat"):
            for number in range(2):
                write(tmp_path / folder / name / f"{number}.png")
    write(tmp_path / part / "extra" / "0.png")
    with pytest.raises(DataError, match="'extra' is in only one of"):
        ImageFolder(root=tmp_path)._read("train")


def test_hidden_files_are_ignored_and_nested_folders_are_read(root):
    write(root / "ant" / "more" / "z.png", (250, 0, 0))
    (root / "ant" / ".DS_Store").write_bytes(b"junk")
    (root / ".cache").mkdir()
    parts = [ImageFolder(root=root)._read(part) for part in ("train", "test")]
    assert 250 in red_of(parts[0]) + red_of(parts[1])
    assert parts[0].classes == ("ant", "cat")


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_every_mode_is_converted_to_rgb(tmp_path, mode):
    write(tmp_path / "image", mode=mode)
    assert read_square(tmp_path / "image", 8).shape == (8, 8, 3)


def test_the_format_is_detected_by_content(tmp_path):
    write(tmp_path / "really_png.jpg")
    write(tmp_path / "cmyk.png", mode="CMYK", image_format="JPEG")
    assert read_square(tmp_path / "really_png.jpg", 8)[0, 0].tolist() == [200, 100, 50]
    assert read_square(tmp_path / "cmyk.png", 8).shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (33, 32), (10, 7), (8, 8), (1, 50)])
def test_the_centre_square_is_kept(tmp_path, size):
    width, height = size
    ramp = np.linspace(0, 255, max(size)).astype(np.uint8)
    grey = np.tile(ramp, (height, 1)) if width >= height else np.tile(ramp[:, None], (1, width))
    Image.fromarray(grey).save(tmp_path / "ramp.png")
    square = read_square(tmp_path / "ramp.png", 16).astype(float)
    assert square.shape == (16, 16, 3)
    assert abs(square.mean() - 127.5) < 8  # half a pixel of the ramp, where the margin is odd


def test_an_image_of_the_right_size_is_unchanged(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    assert np.array_equal(read_square(tmp_path / "image.png", 8), pixels)


def test_shrinking_is_antialiased(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    assert abs(read_square(tmp_path / "stripes.png", 8).astype(float) - 127.5).max() < 20


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"text"])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF"])
def test_an_unreadable_file_is_named(tmp_path, damage, image_format):
    path = tmp_path / "broken.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path, image_format)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"broken\.png cannot be read as an image"):
        read_square(path, 8)


def test_an_unreadable_file_is_not_skipped(root):
    for number in range(9):
        (root / "cat" / f"{number}.png").write_bytes(b"text")
    with pytest.raises(DataError, match=r"cat/\d\.png cannot be read"):
        ImageFolder(root=root)._read("train")


@pytest.mark.bad_input(36)
def test_an_empty_class_is_named(root):
    (root / "empty").mkdir()
    with pytest.raises(DataError, match=r"'empty' in .* has no images"):
        ImageFolder(root=root)._read("train")


@pytest.mark.bad_input(36)
@pytest.mark.parametrize("images", [1, 2])
def test_a_class_without_pairs_is_named(root, images):
    for number in range(images):
        write(root / "few" / f"{number}.png")
    with pytest.raises(
        DataError, match=rf"'few' in .* has {images - 1} training images, and class pairs need two; add"
    ):
        ImageFolder(root=root)._read("train")


def test_fewer_than_two_classes_are_refused(tmp_path):
    write(tmp_path / "only" / "0.png")
    with pytest.raises(DataError, match="contains 1 folders"):
        ImageFolder(root=tmp_path)._read("train")


def test_a_missing_root_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"needs dataset\.root"):
        ImageFolder()._read("train")
    with pytest.raises(DataError, match="does not exist"):
        ImageFolder(root=tmp_path / "absent")._read("train")
