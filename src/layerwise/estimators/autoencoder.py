"""`Autoencoder`: codes that examples can be brought back from, as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.data import Store
from layerwise.estimators.labelled import Labelled, where
from layerwise.estimators.parameters import (
    AtLeastZero,
    RandomState,
    Whole,
    check,
    check_parameters,
    seed_of,
)
from layerwise.nn import Head, Pipeline
from layerwise.nn.options import Channels, Positive
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.stacks.autoencoding import (
    Coding,
    autoencode,
    by_conjugate_gradients,
    by_one_cycle,
    first_weights,
)
from layerwise.tasks import Classify
from layerwise.train import Plan, Supervised
from layerwise.workflows.unlabelled import follow

__all__ = ["Autoencoder"]


class Autoencoder(Labelled):
    """A deep autoencoder: `transform` gives codes, `inverse_transform` brings examples back from them.

    X is a matrix (N, F) of numbers, or raw: a folder of pictures, a list of paths, arrays (N, H, W).
    `widths` are those of the levels, the code last; the decoder mirrors them. With `pretrain="rbm"` the levels
    are begun by restricted Boltzmann machines and tuned by conjugate gradients (Hinton and Salakhutdinov
    2006), which takes its time; without, training is that of today. With "stack" each level first learns by
    itself to bring back what the level below gives (Vincent et al. 2010), then all learn together. `noise` is
    the share of values that are set to 0 before they are seen (Vincent et al. 2008); `sparsity` how active,
    between 0 and 1, each unit of the code is to be (Ng 2011), which makes the code one of sigmoids, linear
    otherwise; `contraction` the weight of the squared norm of its Jacobian (Rifai et al. 2011). With `variational`,
    which goes with none of these, the code of an example is a normal density, `transform` gives its mean, and
    `sample` makes new examples (Kingma and Welling 2014). `epochs` are passes of training, and of each level's
    pretraining. `visible="bernoulli"` moves values to 0 to 1, unless they are there, and descends cross-entropy;
    "gaussian" gives features mean 0 and spread 1 and descends squared error. With `tuning` epochs and y, classes
    (N,), a network that is begun with the encoder and ends in a linear map of the code is then tuned by
    backpropagation, and predicts; codes stay those of X alone.

    Sparse codes over a dictionary are learned by `layerwise.train.PredictiveSparseDecomposition`.

    Attributes: `encoder_` and `decoder_` (Pipelines of float64 weights, on `vectors_`), `vectors_` (how X
    becomes vectors and back), `n_features_in_` where X is a matrix; with `tuning` and y also `net_` (a Pipeline
    on vectors) and `classes_` (C,).

    >>> from sklearn.datasets import load_digits
    >>> X, _ = load_digits(return_X_y=True)
    >>> Autoencoder([32, 8], epochs=2).fit(X).transform(X[:3]).shape
    (3, 8)
    """

    encoder_: Pipeline
    decoder_: nn.Module

    def __init__(
        self,
        widths: Sequence[Channels],
        *,
        pretrain: Literal["rbm", "stack"] | None = None,
        noise: float = 0.0,
        sparsity: float | None = None,
        contraction: AtLeastZero = 0.0,
        variational: bool = False,
        visible: Literal["bernoulli", "gaussian"] = "bernoulli",
        epochs: Positive = 50,
        tuning: AtLeastZero = 0,
        kind: str | None = None,
        reading: Mapping[str, Any] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.widths = widths
        self.pretrain = pretrain
        self.noise = noise
        self.sparsity = sparsity
        self.contraction = contraction
        self.variational = variational
        self.visible = visible
        self.epochs = epochs
        self.tuning = tuning
        self.kind = kind
        self.reading = reading
        self.random_state = random_state

    @property
    def _n_features_out(self) -> int:
        return self.widths[-1]

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on all of X, and to tell classes y (N,) apart where there are epochs of `tuning`. Returns self."""
        check_parameters(self)
        coding = Coding(
            tuple(self.widths), self.pretrain, self.visible, self.noise, self.sparsity, self.contraction,
            self.variational, self.epochs,
        )  # fmt: skip
        seed = seed_of(self.random_state)
        with self._stored(X, unit=self.visible == "bernoulli") as store:
            codes = self._codes(y, store) if self.tuning and y is not None else None

            def run(net: nn.Module, plan: Plan) -> None:
                follow(net, plan, self.vectors_, store, seed=seed)

            net = autoencode(coding, vector(self.vectors_.width), run, seed=seed)
            self.net_ = None if codes is None else self._tuned(net.encoder, codes, store, seed)
        self.encoder_, self.decoder_ = net.encoder.double().eval(), net.decoder.double().eval()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """(N, K) the code of each example; of a variational one its mean."""
        return self._mapped(X, lambda v: self.encoder_(v))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Examples like those that were learned from, in their units, from codes (N, K)."""
        codes = self._features(X)
        return self._restored(self.decoder_(codes).detach())

    @where(lambda learner: learner.variational)
    def sample(self, n: int = 1, *, random_state: RandomState = 0) -> np.ndarray:
        """`n` new examples like those of X, in its units: what is expected of codes drawn from a standard normal.

        There only with `variational`, which makes the codes of X one.
        """
        check("n", n, Whole)
        generator = Randomness(seed_of(random_state)).generator("estimator samples")
        return self.inverse_transform(torch.randn(n, self._n_features_out, generator=generator))

    def score_samples(self, X: Any) -> np.ndarray:
        """(N,) minus the squared error of each example brought back, summed over its values as `vectors_` has them.

        It is brought back from what `transform` gives, of a variational one too: nothing is drawn.
        """
        return self._mapped(X, self._error)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """The mean of `score_samples`: the higher, the more of X the codes keep."""
        return float(self.score_samples(X).mean())

    def _tuned(self, encoder: Pipeline, codes: np.ndarray, store: Store, seed: int) -> Pipeline:
        task = Classify.fit(codes)
        with first_weights(seed):
            head = Head.from_spec(vector(self._n_features_out), outputs=task.outputs)
        net = Pipeline(**dict(deepcopy(encoder).stages()), answer=head)
        if self.pretrain == "rbm":
            phase = by_conjugate_gradients(Supervised(task), epochs=self.tuning)
        else:
            phase = by_one_cycle(Supervised(task), epochs=self.tuning, rate=4e-3, size=128, decay=0.01)
        follow(net, (phase,), self.vectors_, store, seed=seed, targets=task.encode(codes))
        return net

    def _error(self, v: Tensor) -> Tensor:
        error: Tensor = (self.decoder_(self.encoder_(v)) - v).square().sum(1)
        return -error
