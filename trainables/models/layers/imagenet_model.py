"""What the networks for 224x224 images share; importable without torch."""

from trainables.errors import ConfigError
from trainables.interfaces import Model

SMALLEST = 32


class ImagenetModel(Model):
    """Base of the networks with a 7x7 stem, for images of any size from 32x32; 224x224 in the paper."""

    def check_images(self, height: int, width: int) -> None:
        """Images whose last feature map has at least one pixel.

        Raises:
            ConfigError: The images are smaller than 32x32.
        """
        if min(height, width) < SMALLEST:
            raise ConfigError(
                f"{self.part_name()}: the images of the data set are {height}x{width}, at least "
                f"{SMALLEST}x{SMALLEST} are needed; take a network for small images, such as preact_resnet18"
            )
