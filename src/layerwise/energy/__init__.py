"""Models by their energies: conditionals, samplers and likelihoods, without training."""

from layerwise.energy.belief import belief_bound
from layerwise.energy.boltzmann import BoltzmannMachine, Moments
from layerwise.energy.convolutional import Blocks, ConvolutionalRBM
from layerwise.energy.deep import DeepBoltzmannMachine
from layerwise.energy.enumeration import configurations
from layerwise.energy.harmonium import Harmonium
from layerwise.energy.hopfield import DenseMemory, Hopfield, ModernHopfield
from layerwise.energy.ising import Ising, binder_cumulant
from layerwise.energy.likelihood import (
    Estimate,
    annealed_log_partition,
    exact_log_partition,
    log_likelihood,
)
from layerwise.energy.markov import (
    Marginals,
    MarkovNetwork,
    belief_propagation,
    exact_marginals,
    mean_field,
)
from layerwise.energy.rbm import RestrictedBoltzmannMachine
from layerwise.energy.tempering import Swapped, Tempering
from layerwise.energy.units import Bernoulli, Doubled, Gaussian, Rectified, Softmax, Units
from layerwise.energy.unrolled import unrolled

__all__ = [
    "Bernoulli",
    "Blocks",
    "BoltzmannMachine",
    "ConvolutionalRBM",
    "DeepBoltzmannMachine",
    "DenseMemory",
    "Doubled",
    "Estimate",
    "Gaussian",
    "Harmonium",
    "Hopfield",
    "Ising",
    "Marginals",
    "MarkovNetwork",
    "ModernHopfield",
    "Moments",
    "Rectified",
    "RestrictedBoltzmannMachine",
    "Softmax",
    "Swapped",
    "Tempering",
    "Units",
    "annealed_log_partition",
    "belief_bound",
    "belief_propagation",
    "binder_cumulant",
    "configurations",
    "exact_log_partition",
    "exact_marginals",
    "log_likelihood",
    "mean_field",
    "unrolled",
]
