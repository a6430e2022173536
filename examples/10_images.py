"""Digits without labels: neurons compete for images, labels only name what they have become. Needs MNIST's files."""

import os

import snnrl
from snnrl.datafiles import data_files, data_folder

if all(path.is_file() for path in data_files("MNIST", data_folder())):
    few = {"train_images": 300, "test_images": 100} if "SNNRL_SHORT" in os.environ else {}
    run = snnrl.train(experiment="mnist_unsupervised", n_neurons=100, eval={"every": 0}, progress="none", **few)
    print(run)
    run.learner.save("digits.pt")
else:
    print(f"MNIST is not in {data_folder()}; python -m snnrl.train experiment=mnist_unsupervised downloads it")
