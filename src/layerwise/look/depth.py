"""Why depth failed before 2006: what nets of one to eight levels did when each remedy was tried by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log10
from statistics import fmean

from layerwise.figures import count, number, share
from layerwise.findings import Curves, Finding, Picture, Rows, Section
from layerwise.look.anatomy import IDLE, Coder, DeepNet
from layerwise.look.words import capital
from layerwise.tasks.intervals import wilson

__all__ = ["OF_THEN", "WORDS", "depth"]

OF_THEN = "sigmoid"
WORDS: Mapping[str, str] = {
    OF_THEN: "sigmoids as they were",
    "tanh": "tanh as it was",
    "pretrained": "sigmoids pretrained as restricted Boltzmann machines",
    "batch norm": "sigmoids with batch norm",
    "residual": "sigmoids with a way round each level",
    "ReLU": "ReLU with He's first weights",
}
"""The kinds of nets, in the order in which they are told: first those of then."""

NEAR = 0.05  # share of answers, or of an error, within which two are taken as alike
FADES = 0.01  # a gradient at the lowest level that is less than this of the one at the top has faded
MANY = 0.5  # share of a level's units


def depth(nets: Sequence[DeepNet], coders: Sequence[Coder]) -> tuple[Section, ...]:
    """The page's sections. Every figure and every verdict is of these nets."""
    deepest = max(net.depth for net in nets)
    deep = {net.kind: net for net in nets if net.depth == deepest}
    return (
        _verdict(nets, deep),
        _gradients(deep),
        _distances(deep),
        _units(deep),
        _mean_picture(coders),
        _table(nets),
    )


def _verdict(nets: Sequence[DeepNet], deep: Mapping[str, DeepNet]) -> Section:
    then = deep[OF_THEN]
    shallow = min((net for net in nets if net.kind == OF_THEN), key=lambda net: net.depth)
    failed = then.accuracy < shallow.accuracy - NEAR
    low, high = wilson(then.accuracy * then.n, then.n)
    said = (
        f"{capital(_levels(then.depth))} of sigmoids with the first weights of before 2006 name"
        f" {share(then.accuracy)} of the digits held out, {_levels(shallow.depth)} {share(shallow.accuracy)}:"
        f" {'depth failed' if failed else 'depth did not fail here, whatever the textbook says'}."
    )
    near = [k for k, net in deep.items() if k != OF_THEN and net.accuracy >= shallow.accuracy - NEAR]
    worse = [k for k in deep if k not in near and k != OF_THEN]
    within = f"within {number(100 * NEAR)} points of that one level"
    remedies = f"At {_levels(then.depth)}, {_and(_with(k, share(deep[k].accuracy)) for k in near) or 'no other kind'}"
    remedies += f" {'is' if len(near) < 2 else 'are'} {within}."
    if worse:
        remedies += f" {capital(_and(_with(k, share(deep[k].accuracy)) for k in worse))} did not come so far."
    chart = _by_depth(nets)
    return Section(
        "verdict",
        "Why depth failed before 2006, measured",
        (
            Finding(
                "depth.failed", said, then.accuracy, low, high, n=then.n,
                method=f"naming the commonest digit would be right in {share(then.chance)}",
            ),
            Finding("depth.remedies", remedies, pictures=(chart,)),
        ),
    )  # fmt: skip


def _by_depth(nets: Sequence[DeepNet]) -> Curves:
    depths = sorted({net.depth for net in nets})
    found = {(net.kind, net.depth): net.accuracy for net in nets}
    lines = {kind: [found.get((kind, d)) for d in depths] for kind in WORDS}
    ends = _and(f"{WORDS[k]} {share(v[-1])}" for k, v in lines.items() if v[-1] is not None)
    words = f"Share of held-out digits named rightly, by the number of levels; at {depths[-1]}: {ends}."
    return Curves(depths, lines, "levels", "accuracy", words)


def _gradients(deep: Mapping[str, DeepNet]) -> Section:
    """Of the first step, level by level, and how it went on."""
    then = deep[OF_THEN]
    falls = {kind: _fall(net, 0) for kind, net in deep.items()}
    faded = falls[OF_THEN] < FADES
    said = (
        f"Before the first step, in nets of {_levels(then.depth)}, the gradient at the lowest level is"
        f" {_of(falls[OF_THEN])} that at the top with {WORDS[OF_THEN]}:"
        f" {'it fades on its way down' if faded else 'it does not fade, as the textbook would have it'}."
    )
    later = _fall(then, 1)
    others = _and(f"{_two(fall)} ({WORDS[kind]})" for kind, fall in falls.items() if kind != OF_THEN)
    went = (
        f"While {WORDS[OF_THEN]} learn, the gradient at the lowest level is {_of(later)} that at the top,"
        " in the mean over epochs."
        f" With the other kinds, before the first step, it is {others} times that at the top."
    )
    return Section(
        "gradients",
        f"The gradient {'fades' if faded else 'does not fade'} on its way down through sigmoids of then.",
        (
            Finding(
                "depth.gradients",
                said,
                method="Euclidean norms of the gradients by the weights of a level, all training pictures",
                pictures=(_by_level(deep, _log_gradient, "log10 of the gradient", "before the first step"),),
            ),
            Finding("depth.gradients.others", went),
        ),
    )


def _distances(deep: Mapping[str, DeepNet]) -> Section:
    """How far weights went."""
    then = deep[OF_THEN].states[-1]
    stayed = then[0].distance < FADES
    said = (
        f"After training, the weights of the lowest of {_levels(len(then))} of {WORDS[OF_THEN]} are"
        f" {share(then[0].distance)} of their norm away from where they began, those of the top"
        f" {share(then[-1].distance)}:"
        f" {'what is lowest keeps its chance weights' if stayed else 'the lowest level did move here'}."
    )
    findings = [
        Finding(
            "depth.distance",
            said,
            pictures=(
                _by_level(deep, lambda net, i: net.states[-1][i].distance, "distance", "after training"),
            ),
        )
    ]
    if "pretrained" in deep:
        net = deep["pretrained"]
        ways = [state.distance for state in net.states[-1]]
        findings.append(
            Finding(
                "depth.distance.pretrained",
                f"After pretraining, tuning moved no level by more than {share(max(ways))} of its norm, and the"
                f" net names {share(net.accuracy)} of the digits:"
                f" {'it began near where it had to go' if max(ways) < MANY else 'it went far too'}.",
            )
        )
    heading = "The lowest levels stay where they began." if stayed else "The lowest levels move as well."
    return Section("distance", heading, tuple(findings))


def _units(deep: Mapping[str, DeepNet]) -> Section:
    """Units that tell no picture from another, and units at the flat ends of their curve."""
    start, end = deep[OF_THEN].states[0], deep[OF_THEN].states[-1]
    idle, flat = (max(values) for values in ([s.idle for s in end], [s.saturated for s in end]))
    said = (
        f"After training, {share(end[-1].idle)} of the units in the top level of {WORDS[OF_THEN]} give every"
        f" picture the same answer (before it, {share(start[-1].idle)});"
        f" in the worst level {share(idle)} do."
    )
    saturated = (
        f"The textbook has units saturated. Here {f'up to {share(flat)}' if flat else 'none'} of a level's units"
        f" are: {'so it is' if flat >= MANY else 'those that are idle sit in the middle of their curve'}."
    )
    others = _and(
        f"{share(max(s.saturated for s in net.states[-1]))} with {WORDS[kind]}"
        for kind, net in deep.items()
        if kind != OF_THEN
    )
    many = idle >= MANY
    return Section(
        "units",
        f"{'Most units of a level say nothing' if many else 'Most units still say something'}.",
        (
            Finding(
                "depth.idle",
                said,
                method=f"idle: a standard deviation over all training pictures of less than {number(IDLE)}",
                pictures=(
                    _by_level(deep, lambda net, i: net.states[-1][i].idle, "idle units", "after training"),
                ),
            ),
            Finding(
                "depth.saturated",
                f"{saturated} In the worst level of the other kinds it is {others}.",
                method="saturated, or off: a mean slope of less than a tenth of the steepest",
            ),
        ),
    )


def _mean_picture(coders: Sequence[Coder]) -> Section:
    """Whether autoencoders give back more than the mean of all pictures."""
    layers = sorted({coder.layers for coder in coders})
    found = {(coder.kind, coder.layers): coder.ratio for coder in coders}
    then, floor = next(c for c in coders if (c.kind, c.layers) == (OF_THEN, layers[-1])), coders[0].floor
    stuck = then.ratio >= 1 - NEAR
    said = (
        f"An autoencoder of {then.layers} layers of {WORDS[OF_THEN]} leaves a squared error of"
        f" {number(then.error)} a picture, the mean picture {number(floor)}:"
        f" {'you are predicting the mean image' if stuck else 'it gives back more than the mean image'}."
    )
    lines = {kind: [found.get((kind, d)) for d in layers] for kind in WORDS}
    ends = [(kind, line[-1]) for kind, line in lines.items() if line[-1] is not None and kind != OF_THEN]
    less = _and(_with(kind, share(ratio)) for kind, ratio in ends if ratio < 1 - NEAR)
    still = _and(_with(kind, share(ratio)) for kind, ratio in ends if ratio >= 1 - NEAR)
    others = f"Less of the mean picture's error is left by {less or 'no other kind'}."
    if still:
        others += f" Hardly more than the mean picture comes back from {still}."
    chart = Curves(
        layers, lines, "layers, pixels to pixels", "error over that of the mean image",
        f"Squared error of {count(then.n)} held-out pictures over that of the mean of all training pictures, by"
        f" layers; {OF_THEN} ends at {number(then.ratio)}.",
    )  # fmt: skip
    return Section(
        "mean-image",
        "Deep autoencoders of then predict the mean image."
        if stuck
        else "Deep autoencoders of then keep more than the mean image.",
        (
            Finding(
                "depth.mean_image",
                said,
                then.error,
                n=then.n,
                method=f"codes of {then.code} linear units",
                pictures=(chart,),
            ),
            Finding("depth.mean_image.others", others),
        ),
    )


def _table(nets: Sequence[DeepNet]) -> Section:
    """All that was measured of levels."""
    header = (
        "net", "levels", "accuracy", "level", "gradient before", "gradient in training", "distance", "idle before",
        "idle after", "saturated after",
    )  # fmt: skip
    rows = [
        (
            net.kind, net.depth, net.accuracy, i + 1, _power(net.states[0][i].gradient), _power(_mean_gradient(net, i)),
            end.distance, net.states[0][i].idle, end.idle, end.saturated,
        )
        for net in nets
        for i, end in enumerate(net.states[-1])
    ]  # fmt: skip
    picture: Picture = Rows(
        header, rows, f"Every level of all {len(nets)} nets; level 1 is the lowest.", fold=True
    )
    kinds = Rows(("net", "what it is"), list(WORDS.items()), "The kinds of nets.")
    return Section(
        "numbers",
        "What was compared, and every number.",
        (
            Finding(
                "depth.kinds", "Each remedy was tried by itself on the sigmoids of then.", pictures=(kinds,)
            ),
            Finding("depth.numbers", "", pictures=(picture,)),
        ),
    )


def _by_level(
    deep: Mapping[str, DeepNet], value: Callable[[DeepNet, int], float | None], label: str, when: str
) -> Curves:
    levels = list(range(1, next(iter(deep.values())).depth + 1))
    lines = {kind: [value(net, i - 1) for i in levels] for kind, net in deep.items()}
    first = lines[OF_THEN][0]
    words = (
        f"{capital(label)} of each level {when}, in nets of {_levels(len(levels))}, the lowest at the left;"
        f" {OF_THEN}: {number(first)} at the lowest, {number(lines[OF_THEN][-1])} at the top."
    )
    return Curves(levels, lines, "level, from the lowest", label, words)


def _log_gradient(net: DeepNet, level: int) -> float | None:
    norm = net.states[0][level].gradient
    return log10(norm) if norm > 0 else None


def _mean_gradient(net: DeepNet, level: int) -> float:
    return fmean(states[level].gradient for states in net.states[1:])


def _fall(net: DeepNet, since: int) -> float:
    """The gradient at the lowest level over that at the top: before the first step (0) or in the mean after it."""
    if since:
        low, top = _mean_gradient(net, 0), _mean_gradient(net, -1)
    else:
        low, top = net.states[0][0].gradient, net.states[0][-1].gradient
    return low / top if top > 0 else 1.0


def _of(ratio: float) -> str:
    """`1/130,000 of`, `1.3 times`."""
    return f"1/{_two(1 / ratio)} of" if 0 < ratio < FADES else f"{_two(ratio)} times"


def _two(value: float) -> str:
    """With two digits that count."""
    return number(float(f"{value:.2g}"))


def _power(value: float) -> str:
    return f"{value:.1e}"


def _with(kind: str, figure: str) -> str:
    return f"{WORDS[kind]} ({figure})"


def _levels(n: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
    return f"{words[n] if n < len(words) else n} level{'s' * (n != 1)}"


def _and(parts: Iterable[str]) -> str:
    """`a, b and c`; nothing for nothing."""
    *some, last = tuple(parts) or ("",)
    return f"{', '.join(some)} and {last}" if some else last
