#include "analysis/distributions.h"

#include <float.h>
#include <math.h>

double jl_normal_cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

double jl_normal_quantile(double p)
{
    if (p > 0.5) return -jl_normal_quantile(1 - p);
    /* A start within 5e-4 (Abramowitz and Stegun 26.2.23), then Halley's steps on the cdf. */
    double t = sqrt(-2 * log(p));
    double z = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int i = 0; i < 3; i++) {
        double density = exp(-0.5 * z * z) / sqrt(2 * M_PI);
        if (density < DBL_MIN) break;
        double step = (jl_normal_cdf(z) - p) / density;
        z -= step / (1 + 0.5 * z * step);
    }
    return z;
}

/* Lentz's evaluation of the continued fraction of the incomplete beta function (DLMF 8.17.22). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < tiny) d = tiny;
    d = 1 / d;
    double h = d;
    for (int m = 1; m < 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = 1;
        for (int half = 0; half < 2; half++) {
            double k = half ? odd : even;
            d = 1 + k * d;
            c = 1 + k / c;
            if (fabs(d) < tiny) d = tiny;
            if (fabs(c) < tiny) c = tiny;
            d = 1 / d;
            change = d * c;
            h *= change;
        }
        if (fabs(change - 1) < 1e-16) break;
    }
    return h;
}

static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double jl_t_tail(double t, double df)
{
    double half = 0.5 * incomplete_beta(0.5 * df, 0.5, df / (df + t * t));
    return t >= 0 ? half : 1 - half;
}

double jl_t_quantile_upper(double tail, double df)
{
    if (tail > 0.5) return -jl_t_quantile_upper(1 - tail, df);
    double low = 0, high = 1;
    while (jl_t_tail(high, df) > tail && high < 1e150)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double mid = 0.5 * (low + high);
        if (jl_t_tail(mid, df) > tail)
            low = mid;
        else
            high = mid;
    }
    return 0.5 * (low + high);
}

double jl_chi2_tail(double x, double df)
{
    double a = 0.5 * df, y = 0.5 * x;
    if (y <= 0) return 1;
    double front = exp(a * log(y) - y - lgamma(a));
    if (y < a + 1) {
        double term = 1 / a, sum = term;
        for (int k = 1; k < 100000 && term > sum * 1e-17; k++)
            sum += term *= y / (a + k);
        return 1 - front * sum;
    }
    double b = y + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int k = 1; k < 100000; k++) {
        double coefficient = -k * (k - a);
        b += 2;
        d = 1 / (coefficient * d + b);
        c = b + coefficient / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return front * h;
}

double jl_range_tail(double q, size_t k)
{
    if (q <= 0) return 1;
    /* The trapezoidal rule converges geometrically on this analytic, decaying integrand. */
    const double h = 0.03125;
    double sum = 0;
    for (int i = -320; i <= 320; i++) {
        double z = i * h, inside = jl_normal_cdf(z) - jl_normal_cdf(z - q);
        sum += exp(-0.5 * z * z) * pow(inside, (double)(k - 1));
    }
    double below = (double)k * sum * h / sqrt(2 * M_PI);
    return below >= 1 ? 0 : 1 - below;
}

double jl_binomial_cdf(long long k, size_t n, double p)
{
    if (k < 0) return 0;
    if ((unsigned long long)k >= n) return 1;
    /* From the largest term downwards; terms fall off, so the sum stops early. */
    double count = (double)n, i = (double)k;
    double mode = floor(count * p);
    if (i > mode) { /* the upper tail is the smaller side */
        double j = i + 1, sum = 0;
        double term = exp(lgamma(count + 1) - lgamma(j + 1) - lgamma(count - j + 1) + j * log(p) +
                          (count - j) * log1p(-p));
        for (; j <= count && term > sum * 1e-18; j++) {
            sum += term;
            term *= (count - j) / (j + 1) * (p / (1 - p));
        }
        return 1 - sum;
    }
    double sum = 0, term = exp(lgamma(count + 1) - lgamma(i + 1) - lgamma(count - i + 1) +
                               i * log(p) + (count - i) * log1p(-p));
    for (; i >= 0 && term > sum * 1e-18; i--) {
        sum += term;
        term *= i / (count - i + 1) * ((1 - p) / p);
    }
    return sum;
}
