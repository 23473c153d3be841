"""The parts of pytorch_worker.py: standard library, torch and torchvision only."""
