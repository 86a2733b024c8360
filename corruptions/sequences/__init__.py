"""The sequences of ImageNet-P and CIFAR-10-P, one file each."""
