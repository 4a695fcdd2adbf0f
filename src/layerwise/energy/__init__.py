"""Models by their energies: conditionals, samplers and likelihoods, without training."""

from layerwise.energy.boltzmann import BoltzmannMachine, Moments
from layerwise.energy.enumeration import configurations
from layerwise.energy.hopfield import DenseMemory, Hopfield, ModernHopfield
from layerwise.energy.ising import Ising, binder_cumulant
from layerwise.energy.markov import (
    Marginals,
    MarkovNetwork,
    belief_propagation,
    exact_marginals,
    mean_field,
)
from layerwise.energy.tempering import Swapped, Tempering

__all__ = [
    "BoltzmannMachine",
    "DenseMemory",
    "Hopfield",
    "Ising",
    "Marginals",
    "MarkovNetwork",
    "ModernHopfield",
    "Moments",
    "Swapped",
    "Tempering",
    "belief_propagation",
    "binder_cumulant",
    "configurations",
    "exact_marginals",
    "mean_field",
]
