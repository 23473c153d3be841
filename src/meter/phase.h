/* When did a sensor tick? Each tick is only known to lie in a bracket between two reads. Sensors
 * tick nearly regularly, so the brackets of neighbours narrow each other down.
 *
 * Model: tick k happens at a + b k + e_k, e_k normal with unknown standard deviation s (with a
 * prior that lets regular sensors be as sharp as their brackets allow), and lies in its bracket.
 * The posterior of the line and of s is sampled by Metropolis steps on the interval-censored
 * likelihood (each tick contributes Phi((hi-m)/s) - Phi((lo-m)/s)), and the times of the two ticks
 * asked for are drawn from their truncated normals. With regular ticks the brackets intersect and
 * the posterior is far narrower than one bracket; with irregular ones s grows and every tick falls
 * back on its own bracket.
 *
 * Now and then a bracket does not hold its tick: a driver may show it late, or a read that was held
 * up looked at another moment than its middle. So a tick strays with a small prior probability, and
 * then lies anywhere within the period after its time; such ticks neither move the line nor widen
 * s. */
#ifndef JL_METER_PHASE_H
#define JL_METER_PHASE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct jl_bracket {
    double lo_s, hi_s; /* lo < hi, times of any common origin, ascending */
} jl_bracket;

typedef struct jl_phase {
    double span_s;                  /* posterior mean of last - first */
    double span_sd_s;               /* its standard deviation */
    double span_low_s, span_high_s; /* its 2.5 and 97.5 % quantiles */
    double jitter_s; /* posterior mean of s; NAN when ticks are not taken as regular */
} jl_phase;

/* Places n > 0 ticks: at_s[i] and sd_s[i] receive the mean and the standard deviation of each,
 * stray[i] the probability that it strays, out the span from tick `first` to tick `last`. With
 * regular = false or fewer than four ticks every tick is uniform in its own bracket. More than
 * JL_PHASE_MOST ticks are placed by stretches. The sampling is seeded: same brackets, same result.
 */
enum { JL_PHASE_MOST = 72 };
void jl_phase_place(const jl_bracket *b, size_t n, size_t first, size_t last, bool regular,
                    double *at_s, double *sd_s, double *stray, jl_phase *out);

#endif
