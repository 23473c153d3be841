"""The C statistics against enumeration, scipy and statsmodels on random cases.

usage: analysis.py DRIVER [CASES]

CASES (10,000) random cases of every function, with ties, zeros and missing values; every number
must agree within 1e-9 (absolute, or relative to the larger magnitude above 1).
"""
import functools
import itertools
import subprocess
import sys
import warnings

import numpy as np
from scipy import optimize, stats
from statsmodels.stats import multitest, proportion, weightstats

TOLERANCE = 1e-9
warnings.filterwarnings("ignore")
SIGNS = {n: np.array(list(itertools.product((0, 1), repeat=n)), dtype=float).reshape(2 ** n, n)
         for n in range(0, 16)}
ALTERNATIVES = ("two-sided", "greater", "less")


def text(values):
    return f"{len(values)} " + " ".join(repr(float(v)) for v in values)


def differences(rng, n, ties=None):
    """Continuous, or coarse so that zeros and ties are common."""
    kind = rng.integers(3) if ties is None else (1 if ties else 0)
    if kind == 0:
        return rng.normal(rng.normal(), 1, n)
    if kind == 1:
        return rng.integers(-3, 4, n).astype(float)
    return np.round(rng.normal(0.3, 1, n), 1)


def smaller_tail(null, w, alternative):
    below, above = np.mean(null <= w + 1e-9), np.mean(null >= w - 1e-9)
    if alternative == "two-sided":
        return min(1.0, 2 * min(below, above))
    return above if alternative == "greater" else below


def signed_rank_p(d, zeros, alternative):
    d = d[np.isfinite(d)]
    if len(d) == 0:
        return None, 0.0, 0.0, None
    if zeros:  # discard
        d = d[d != 0]
    r = stats.rankdata(np.abs(d))
    r, s = r[d != 0], np.sign(d[d != 0])
    if len(r) == 0:
        return 1.0, 0.0, 0.0, None
    w = r[s > 0].sum()
    total = r.sum()
    return smaller_tail(SIGNS[len(r)] @ r, w, alternative), w, total - w, (2 * w - total) / total


def interval_rank(null_counts, level):
    """Largest k with 2 P(W <= k - 1) <= 1 - level, from whole counts."""
    cdf = np.cumsum(null_counts) / sum(null_counts)
    k = 0
    while 2 * cdf[k] <= (1 - level) + 1e-12 and k < len(cdf) // 2:
        k += 1
    return k, 1 - 2 * (cdf[k - 1] if k else cdf[0])


def signed_counts(n, cache={}):
    if n not in cache:
        f = [1]
        for r in range(1, n + 1):
            g = f + [0] * r
            for i, v in enumerate(f):
                g[i + r] += v
            f = g
        cache[n] = f
    return cache[n]


def rank_sum_counts(n1, n2, cache={}):
    if (n1, n2) not in cache:
        sums = [sum(c) for c in itertools.combinations(range(1, n1 + n2 + 1), n1)]
        low = n1 * (n1 + 1) // 2
        cache[n1, n2] = list(np.bincount(np.array(sums) - low, minlength=n1 * n2 + 1))
    return cache[n1, n2]


def interval(sorted_values, k, level):
    if not k:
        return None, None, max(level, 0)
    return sorted_values[k - 1], sorted_values[-k], level


def case_signed_rank(rng):
    n = int(rng.choice(16, p=np.array([1] * 4 + [6] * 8 + [2] * 4) / 60))
    d = differences(rng, n)
    if rng.random() < 0.1 and n:
        d[rng.integers(n)] = rng.choice([np.nan, np.inf, -np.inf])
    zeros, alternative, level = int(rng.integers(2)), int(rng.integers(3)), rng.choice([0.9, 0.95])
    expected = list(signed_rank_p(d, zeros, ALTERNATIVES[alternative]))
    f = d[np.isfinite(d)]
    if len(f):
        walsh = np.sort([(f[i] + f[j]) / 2 for i in range(len(f)) for j in range(i, len(f))])
        k, attained = interval_rank(signed_counts(len(f)), level)
        expected += [np.median(walsh), *interval(walsh, k, attained)]
    else:
        expected += [None, None, None, 0.0]
    return f"signed_rank {zeros} {alternative} {level} {text(d)}", expected


def case_signed_rank_large(rng):
    """Against scipy: exact without ties, normal approximation far above."""
    d = rng.normal(0.1, 1, int(rng.choice([20, 30, 49])))
    n = len(d)
    alternative = int(rng.integers(3))
    test = stats.wilcoxon(d, alternative=ALTERNATIVES[alternative], method="exact")
    walsh = np.sort([(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)])
    k, attained = interval_rank(signed_counts(n), 0.95)
    r = stats.rankdata(np.abs(d))
    w, total = r[d > 0].sum(), r.sum()
    return (f"signed_rank 0 {alternative} 0.95 {text(d)}",
            [test.pvalue, w, total - w, (2 * w - total) / total, np.median(walsh),
             *interval(walsh, k, attained)])


def case_signed_rank_normal(rng):
    d = np.round(rng.normal(0.02, 1, 400), int(rng.choice([1, 9])))
    d = d[d != 0]
    if len(d) <= 300:
        return case_signed_rank_normal(rng)
    test = stats.wilcoxon(d, correction=True, method="asymptotic", zero_method="wilcox")
    r = stats.rankdata(np.abs(d))
    w, total = r[d > 0].sum(), r.sum()
    walsh = (d[:, None] + d[None, :])[np.triu_indices(len(d))] / 2
    return f"signed_rank 0 0 0.95 {text(d)}", [test.pvalue, w, total - w, (2 * w - total) / total,
                                              np.median(walsh), ..., ..., ...]


def case_rank_sum(rng):
    n1, n2 = int(rng.integers(0, 8)), int(rng.integers(1, 8))
    both = differences(rng, n1 + n2)
    x, y = both[:n1], both[n1:]
    alternative, level = int(rng.integers(3)), rng.choice([0.9, 0.95])
    head = f"rank_sum {alternative} {level} {text(x)} {text(y)}"
    if n1 == 0:
        return head, [None, 0.0, None, None, None, 0.0]
    r = stats.rankdata(both)
    null = r[SUBSETS[n1 + n2, n1]].sum(axis=1)
    w = r[:n1].sum()
    p = smaller_tail(null, w, ALTERNATIVES[alternative])
    moved = np.sort((x[:, None] - y[None, :]).ravel())
    k, attained = interval_rank(rank_sum_counts(n1, n2), level)
    return head, [p, w - n1 * (n1 + 1) / 2, np.median(moved), *interval(moved, k, attained)]


SUBSETS = {(n, k): np.array(list(itertools.combinations(range(n), k)))
           for n in range(1, 15) for k in range(1, n + 1) if k < 8}


def case_rank_sum_scipy(rng):
    ties = rng.random() < 0.5
    n1, n2 = (60, 55) if ties else (int(rng.integers(8, 20)), int(rng.integers(8, 20)))
    x, y = rng.normal(0.3, 1, n1), rng.normal(0, 1, n2)
    if ties:
        x, y = np.round(x, 1), np.round(y, 1)
    alternative = int(rng.integers(3))
    test = stats.mannwhitneyu(x, y, alternative=ALTERNATIVES[alternative],
                              method="asymptotic" if ties else "exact")
    return (f"rank_sum {alternative} 0.95 {text(x)} {text(y)}",
            [test.pvalue, test.statistic, np.median(x[:, None] - y[None, :]), ..., ..., ...])


@functools.lru_cache
def values_needed(beyond):
    n = 2
    while stats.binom.cdf(1, n, beyond) > 0.01:
        n += 1
    return n


def case_describe(rng):
    n = int(rng.integers(1, 200)) if rng.random() < 0.8 else int(rng.integers(600, 900))
    x = differences(rng, n)
    q = rng.choice([0.1, 0.5, 0.9, 0.95, 0.99])
    level = rng.choice([0.9, 0.95, 0.99])
    s = np.sort(x)
    coverage = 1 - 2 * stats.binom.cdf(np.arange(0, n // 2 + 1), n, 0.5)  # of rank k + 1
    k = int(np.sum(coverage[:n // 2] >= level))
    attained = coverage[max(k - 1, 0)]
    needed = values_needed(min(q, 1 - q))
    expected = [np.median(x), x.mean(), x.std(ddof=1) if n > 1 else None, *interval(s, k, attained)]
    if n < needed:
        expected += [None, None, None, 0.0]
    else:
        cdf = stats.binom.cdf(np.arange(-1, n + 1), n, q)  # cdf[r] = P(B <= r - 1)
        below = np.flatnonzero(cdf <= (1 - level) / 2).max()
        above = np.flatnonzero(cdf >= 1 - (1 - level) / 2).min()
        expected += [np.quantile(x, q)]
        expected += ([None, None, 0.0] if below < 1 or above > n else
                     [s[below - 1], s[above - 1], cdf[above] - cdf[below]])
    return f"describe {level} {q} {text(x)}", expected


def some_p(rng):
    return np.round(rng.random(int(rng.integers(1, 30))) ** 3, int(rng.choice([2, 12])))


def case_corrections(rng):
    p = some_p(rng)
    order = np.argsort(p, kind="stable")
    holm = np.empty(len(p))
    holm[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return f"corrections {text(p)}", [*holm, *np.minimum(1, p * len(p))]


def case_corrections_statsmodels(rng):
    p = some_p(rng)
    return (f"corrections {text(p)}",
            [*multitest.multipletests(p, method="holm")[1],
             *multitest.multipletests(p, method="bonferroni")[1]])


def case_tost(rng):
    n = int(rng.integers(1, 13))
    d = differences(rng, n)
    low, high = -abs(rng.normal()) - 0.1, abs(rng.normal()) + 0.1
    t = None
    if n > 1 and d.std() > 0:
        t = weightstats.DescrStatsW(d).ttost_mean(low, high)[0]
    w = max(signed_rank_p(d - low, 0, "greater")[0], signed_rank_p(d - high, 0, "less")[0])
    return f"tost {low!r} {high!r} {text(d)}", [t, w]


def case_friedman(rng):
    n, k = int(rng.integers(2, 12)), int(rng.integers(3, 7))
    x = rng.normal(0, 1, (n, k)) if rng.random() < 0.5 else rng.integers(0, 4, (n, k)).astype(float)
    ranks = np.array([stats.rankdata(row) for row in x])
    mean = ranks.mean(axis=0)
    head = f"friedman {k} {text(x.ravel())}"
    if np.all(x == x[:, :1]):
        return head, [None, None, None, *mean, *[None] * (k * k)]
    test = stats.friedmanchisquare(*x.T)
    q = np.abs(mean[:, None] - mean[None, :]) / np.sqrt(k * (k + 1) / (12 * n))
    pairs = [1.0 if i == j else range_tail(q[i, j], k) for i in range(k) for j in range(k)]
    return head, [test.statistic, test.pvalue, ..., *mean, *pairs]


def range_tail(q, k, cache={}):
    key = (round(float(q), 12), k)
    if key not in cache:
        cache[key] = float(stats.studentized_range.sf(q, k, np.inf)) if len(cache) < 400 else ...
    return cache[key]


def case_repeatability(rng):
    n = int(rng.integers(3, 20))
    se = 0.01 * np.exp(rng.normal(0, 0.5, n))
    y = 1 + rng.normal(0, rng.choice([0, 0.01, 0.03]), n) + se * rng.normal(0, 1, n)
    mean, sd = y.mean(), y.std(ddof=1)
    quantile = [stats.chi2.isf(tail, n - 1) for tail in (0.025, 0.975)]

    def q(t2):
        w = 1 / (se ** 2 + t2)
        return np.sum(w * (y - np.sum(w * y) / np.sum(w)) ** 2)

    def t(target):
        if q(0) <= target:
            return 0.0
        return np.sqrt(optimize.brentq(lambda t2: q(t2) - target, 0, 10, xtol=1e-18, rtol=1e-14)) / mean

    line = stats.linregress(np.arange(n), y)
    change, half = line.slope * (n - 1), stats.t.isf(0.025, n - 2) * line.stderr * (n - 1)
    return (f"repeatability {text(y)} {text(se)}",
            [sd / mean, *[sd / mean * np.sqrt((n - 1) / x) for x in quantile], 0.95, t(n - 1),
             *[t(x) for x in quantile], 0.95, stats.chi2.sf(q(0), n - 1), change, change - half,
             change + half, 0.95])


def case_nnls(rng):
    p = int(rng.integers(1, 7))
    m = p + int(rng.integers(0, 20))
    a = np.abs(rng.normal(0, 1, (m, p))) * 10.0 ** rng.integers(-6, 12, p)
    x = rng.normal(0.5, 1, p) / np.abs(a).mean(axis=0)
    b = a @ x + rng.normal(0, 0.1, m)
    unit = a / np.linalg.norm(a, axis=0)
    condition = np.linalg.cond(unit)
    if condition > 1e4:
        return case_nnls(rng)
    solution, residual = optimize.nnls(unit, b)
    return (f"nnls {p} {text(a.ravel())} {text(b)}",
            [residual, condition, *((v / u, np.linalg.norm(b) / u)
                                    for v, u in zip(solution, np.linalg.norm(a, axis=0)))])


class Given(np.random.Generator):
    """A generator that hands scipy's bootstrap the resample indices of this case."""
    def __init__(self, indices):
        super().__init__(np.random.PCG64(0))
        self.indices = indices

    def integers(self, *args, **kwargs):
        return self.indices


def case_bca(rng):
    n, resamples = int(rng.integers(30, 40)), 120
    x = rng.gamma(2, 1, n)
    indices = rng.integers(0, n, (resamples, n))
    statistic = int(rng.integers(2))
    level = rng.choice([0.8, 0.9])
    function = (np.mean, np.median)[statistic]
    result = stats.bootstrap((x,), function, n_resamples=resamples, confidence_level=level,
                             method="BCa", rng=Given(indices), vectorized=True)
    i = result.confidence_interval
    if not np.isfinite(i.low):
        return case_bca(rng)
    return (f"bca {statistic} {level} {text(x)} {text(indices.ravel())}", [i.low, i.high, level])


def case_max_t(rng):
    m, n = int(rng.integers(1, 8)), int(rng.integers(2, 9))
    d = differences(rng, m * n).reshape(m, n)
    if rng.random() < 0.3:
        d[rng.integers(m), rng.integers(n)] = np.nan
    alternative, shift = int(rng.integers(3)), rng.choice([0.0, 0.25])
    present = np.isfinite(d)
    few = present.sum(axis=1) < 2
    rows = np.where(present & ~few[:, None], d - shift, 0)
    norm = np.sqrt((rows ** 2).sum(axis=1))
    rows = rows / np.where(norm > 0, norm, 1)[:, None]
    used = (present & ~few[:, None]).any(axis=0)
    n_used = int(used.sum())
    all_t = (2 * SIGNS[n_used] - 1) @ rows[:, used].T
    turn = (abs, lambda v: v, lambda v: -v)[alternative]
    largest = np.maximum(turn(all_t).max(axis=1), 0)
    observed = turn(rows[:, used].sum(axis=1))
    expected = [None if f else float(np.mean(largest >= max(o, 0) - 1e-10 * (abs(o) + 1)))
                for f, o in zip(few, observed)]
    return f"max_t {alternative} {shift} {m} {text(d.ravel())}", expected


def case_wilson(rng):
    n = int(rng.integers(1, 3000))
    hits, level = int(rng.integers(0, n + 1)), rng.choice([0.9, 0.95, 0.99])
    low, high = proportion.proportion_confint(hits, n, 1 - level, "wilson")
    return f"wilson {level} {hits} {n}", [hits / n, low, high, level]


def agrees(expected, got):
    if expected is ...:
        return True
    if expected is None:
        return got == "-"
    return got != "-" and distance(expected, got) <= TOLERANCE


def distance(expected, got):
    """Relative to the larger of the value and its scale: 1, or the second of a pair."""
    value, scale = expected if isinstance(expected, tuple) else (expected, 1.0)
    return abs(float(got) - value) / max(scale, abs(value))


def main():
    driver = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    # The slower references get fewer cases of the large kinds, which come on top.
    plan = [(case_signed_rank, count), (case_signed_rank_large, 200), (case_signed_rank_normal, 20),
            (case_rank_sum, count), (case_rank_sum_scipy, 200), (case_describe, count),
            (case_corrections, count),
            (case_corrections_statsmodels, 50), (case_tost, count), (case_friedman, count),
            (case_repeatability, count // 5),
            (case_nnls, count), (case_bca, count), (case_max_t, count), (case_wilson, count)]
    rng = np.random.default_rng(20240607)
    failed = 0
    for make, cases in plan:
        made = [make(rng) for _ in range(cases)]
        run = subprocess.run([driver], input="\n".join(m[0] for m in made) + "\n", text=True,
                             capture_output=True)
        if run.returncode:
            sys.exit(f"{make.__name__}: {run.stderr}")
        lines = run.stdout.splitlines()
        wrong = [(m, line) for m, line in zip(made, lines)
                 if len(line.split()) != len(m[1]) or
                 not all(agrees(e, g) for e, g in zip(m[1], line.split()))]
        worst = max((distance(e, g) for m, line in zip(made, lines)
                     for e, g in zip(m[1], line.split())
                     if e is not None and e is not ... and g != "-"), default=0)
        print(f"{make.__name__[5:]}: {len(made) - len(wrong)} of {len(made)} agree, "
              f"largest difference {worst:.1e}", flush=True)
        for (head, expected), line in wrong[:3]:
            print(f"  {head[:400]}\n  expected {expected}\n  got      {line}")
        failed += bool(wrong) or len(lines) != len(made)
    sys.exit(1 if failed else 0)


main()
