"""Base class of the networks for 224x224 images; importable without torch."""

from trainables.errors import ConfigError
from trainables.interfaces import Model

SMALLEST = 32


class ImagenetModel(Model):
    """Base class of networks with a 7x7 stem, for images from 32x32 pixels; 224x224 in the paper."""

    def check_images(self, height: int, width: int) -> None:
        """Checks that images have at least 32x32 pixels, so that the last feature map is not empty.

        Raises:
            ConfigError: The images are smaller.
        """
        if min(height, width) < SMALLEST:
            raise ConfigError(
                f"{self.part_name()}: the images of the data set are {height}x{width}, at least "
                f"{SMALLEST}x{SMALLEST} are needed; use a network for small images, such as preact_resnet18"
            )
