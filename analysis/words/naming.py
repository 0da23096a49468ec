"""Printed names of methods, models and data sets, and the order of methods in tables and figures."""

from __future__ import annotations

METHODS = {
    "cross_entropy": "Cross-entropy",
    "adacos": "AdaCos",
    "virtual_softmax": "Virtual-softmax",
    "max_entropy": "Maximum-entropy",
    "label_smoothing": "Label-smoothing",
    "ddgsd": "DDGSD",
    "byot": "BYOT",
    "mixup": "Mixup",
    "kd": "KD",
    "cs_kd": "CS-KD",
    "cs_kd_e": "CS-KD-E",
    "mixup_cs_kd": "Mixup + CS-KD",
    "kd_cs_kd": "KD + CS-KD",
}
DATASETS = {
    "cifar100": "CIFAR-100",
    "tiny_imagenet": "TinyImageNet",
    "cub200": "CUB-200-2011",
    "stanford_dogs": "Stanford Dogs",
    "mit67": "MIT67",
    "imagenet": "ImageNet",
}
MODELS = {
    "preact_resnet10": "ResNet-10",
    "resnet10": "ResNet-10",
    "preact_resnet18": "ResNet-18",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnext101_32x4d": "ResNeXt-101-32x4d",
    "densenet121_cifar": "DenseNet-121",
    "densenet121": "DenseNet-121",
}


def method_name(label: str) -> str:
    """Returns the name of a method as the paper prints it, or the label itself for other methods.

    Example:
        >>> method_name("cs_kd_e"), method_name("my_package.my_method:MyMethod")
        ('CS-KD-E', 'my_package.my_method:MyMethod')
    """
    return METHODS.get(label, label)


def method_rank(label: str) -> tuple[int, str]:
    """Returns a sort key of methods: the paper's methods in its order, then others by name.

    Example:
        >>> sorted(["cs_kd", "mine", "cross_entropy"], key=method_rank)
        ['cross_entropy', 'cs_kd', 'mine']
    """
    order = list(METHODS)
    return (order.index(label) if label in order else len(order), label)
