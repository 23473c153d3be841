#include "jouleline/nnls.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "base/memory.h"

/* Least squares over the columns listed, by Householder reflections on a copy (columns major,
 * m x used, then the right-hand side). Dependent columns get 0. */
static void least_squares(const double *a, const double *b, size_t m, size_t stride,
                          const size_t *columns, size_t used, double *work, double *z)
{
    double *rhs = work + used * m, diagonal[JL_NNLS_MAX_COLUMNS];
    for (size_t c = 0; c < used; c++)
        for (size_t i = 0; i < m; i++)
            work[c * m + i] = a[i * stride + columns[c]];
    memcpy(rhs, b, m * sizeof *b);
    for (size_t c = 0; c < used; c++) {
        double *v = work + c * m, norm = 0;
        diagonal[c] = 0;
        if (c >= m) continue;
        for (size_t i = c; i < m; i++)
            norm += v[i] * v[i];
        norm = sqrt(norm);
        if (norm < 1e-14) continue; /* columns have unit length: dependent */
        diagonal[c] = v[c] > 0 ? -norm : norm;
        v[c] -= diagonal[c];
        double square = 2 * norm * (norm + fabs(v[c] + diagonal[c]));
        for (size_t other = c + 1; other <= used; other++) {
            double *w = work + other * m, product = 0;
            for (size_t i = c; i < m; i++)
                product += v[i] * w[i];
            product *= 2 / square;
            for (size_t i = c; i < m; i++)
                w[i] -= product * v[i];
        }
    }
    for (size_t c = used; c-- > 0;) {
        double value = c < m ? rhs[c] : 0;
        for (size_t other = c + 1; other < used && c < m; other++)
            value -= work[other * m + c] * z[other];
        z[c] = fabs(diagonal[c]) > 0 ? value / diagonal[c] : 0;
    }
}

typedef struct nnls {
    const double *a, *b; /* a: columns of unit length */
    size_t m, p, used;
    bool in[JL_NNLS_MAX_COLUMNS];
    size_t columns[JL_NNLS_MAX_COLUMNS];
    double x[JL_NNLS_MAX_COLUMNS], z[JL_NNLS_MAX_COLUMNS];
    double *residual, *work;
} nnls;

static void solve_passive(nnls *s)
{
    s->used = 0;
    for (size_t c = 0; c < s->p; c++)
        if (s->in[c]) s->columns[s->used++] = c;
    least_squares(s->a, s->b, s->m, s->p, s->columns, s->used, s->work, s->z);
}

/* Moves x towards z until a coefficient of the passive set reaches zero, and drops it. */
static void step_back(nnls *s)
{
    double step = 1;
    for (size_t k = 0; k < s->used; k++) {
        double x = s->x[s->columns[k]];
        if (s->z[k] <= 0) step = fmin(step, x > 0 ? x / (x - s->z[k]) : 0);
    }
    for (size_t k = 0; k < s->used; k++) {
        size_t c = s->columns[k];
        s->x[c] += step * (s->z[k] - s->x[c]);
        if (s->z[k] <= 0 && s->x[c] <= 1e-15) {
            s->x[c] = 0;
            s->in[c] = false;
        }
    }
}

static bool any_not_positive(const nnls *s)
{
    for (size_t k = 0; k < s->used; k++)
        if (s->z[k] <= 0) return true;
    return false;
}

static void run(nnls *s, double tolerance)
{
    for (size_t round = 0; round < 10 * s->p; round++) {
        for (size_t i = 0; i < s->m; i++) {
            s->residual[i] = s->b[i];
            for (size_t c = 0; c < s->p; c++)
                s->residual[i] -= s->a[i * s->p + c] * s->x[c];
        }
        size_t best = s->p;
        double most = tolerance;
        for (size_t c = 0; c < s->p; c++) {
            double gradient = 0;
            for (size_t i = 0; i < s->m; i++)
                gradient += s->a[i * s->p + c] * s->residual[i];
            if (!s->in[c] && gradient > most) {
                most = gradient;
                best = c;
            }
        }
        if (best == s->p) return;
        s->in[best] = true;
        solve_passive(s);
        for (size_t k = 0; k < 3 * s->p && any_not_positive(s); k++) {
            step_back(s);
            solve_passive(s);
        }
        for (size_t k = 0; k < s->used; k++)
            s->x[s->columns[k]] = fmax(s->z[k], 0);
    }
}

/* A copy with columns of unit length; lengths of zero columns are 0. */
static int unit_columns(const double *a, size_t m, size_t p, double *unit, double *length,
                        jl_error *err)
{
    if (p < 1 || p > JL_NNLS_MAX_COLUMNS || m < 1)
        return jl_fail(err, JL_ERR_USAGE, "least squares: %zu x %zu; 1 to %d columns, 1 row", m, p,
                       JL_NNLS_MAX_COLUMNS);
    for (size_t c = 0; c < p; c++) {
        double largest = 0, squares = 0;
        for (size_t i = 0; i < m; i++) {
            double v = fabs(a[i * p + c]);
            if (!(v <= JL_LARGEST))
                return jl_fail(err, JL_ERR_USAGE, "least squares: row %zu, column %zu is %g", i, c,
                               a[i * p + c]);
            largest = fmax(largest, v);
        }
        for (size_t i = 0; largest > 0 && i < m; i++)
            squares += a[i * p + c] / largest * (a[i * p + c] / largest);
        length[c] = largest * sqrt(squares);
        for (size_t i = 0; i < m; i++)
            unit[i * p + c] = length[c] > 0 ? a[i * p + c] / length[c] : 0;
    }
    return 0;
}

int jl_nnls(const double *a, const double *b, size_t m, size_t p, double *x, double *residual,
            jl_error *err)
{
    double length[JL_NNLS_MAX_COLUMNS], largest = 0;
    JL_OWNED double *unit = calloc(m * p + 1, sizeof *unit);
    JL_OWNED double *work = calloc(m * (p + 2) + 1, sizeof *work);
    if (!unit || !work) return jl_no_memory(err);
    int rc = unit_columns(a, m, p, unit, length, err);
    if (rc) return rc;
    for (size_t i = 0; i < m; i++) {
        if (!(fabs(b[i]) <= JL_LARGEST))
            return jl_fail(err, JL_ERR_USAGE, "least squares: value %zu is %g", i, b[i]);
        largest = fmax(largest, fabs(b[i]));
    }
    nnls s = {.a = unit, .b = b, .m = m, .p = p, .work = work, .residual = work + m * (p + 1)};
    run(&s, 1e-12 * largest * sqrt((double)m));
    double squares = 0;
    for (size_t i = 0; i < m; i++) {
        double r = b[i];
        for (size_t c = 0; c < p; c++)
            r -= unit[i * p + c] * s.x[c];
        squares += r * r;
    }
    for (size_t c = 0; c < p; c++)
        x[c] = length[c] > 0 ? s.x[c] / length[c] : 0;
    if (residual) *residual = sqrt(squares);
    return 0;
}

int jl_condition_number(const double *a, size_t m, size_t p, double *out, jl_error *err)
{
    double length[JL_NNLS_MAX_COLUMNS], smallest = DBL_MAX, largest = 0;
    JL_OWNED double *u = calloc(m * p + 1, sizeof *u);
    if (!u) return jl_no_memory(err);
    int rc = unit_columns(a, m, p, u, length, err);
    if (rc) return rc;
    double worst = 1;
    for (int sweep = 0; sweep < 60 && worst > 1e-15; sweep++) {
        worst = 0;
        for (size_t c = 0; c + 1 < p; c++)
            for (size_t e = c + 1; e < p; e++) {
                double cc = 0, ee = 0, ce = 0;
                for (size_t i = 0; i < m; i++) {
                    cc += u[i * p + c] * u[i * p + c];
                    ee += u[i * p + e] * u[i * p + e];
                    ce += u[i * p + c] * u[i * p + e];
                }
                if (!(fabs(ce) > 1e-16 * sqrt(cc * ee))) continue;
                worst = fmax(worst, fabs(ce) / sqrt(cc * ee));
                double zeta = (ee - cc) / (2 * ce);
                double t = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
                double cosine = 1 / sqrt(1 + t * t), sine = cosine * t;
                for (size_t i = 0; i < m; i++) {
                    double v = u[i * p + c], w = u[i * p + e];
                    u[i * p + c] = cosine * v - sine * w;
                    u[i * p + e] = sine * v + cosine * w;
                }
            }
    }
    for (size_t c = 0; c < p; c++) {
        double squares = 0;
        for (size_t i = 0; i < m; i++)
            squares += u[i * p + c] * u[i * p + c];
        smallest = fmin(smallest, sqrt(squares));
        largest = fmax(largest, sqrt(squares));
    }
    *out = m >= p && smallest > 1e-14 * largest ? largest / smallest : DBL_MAX;
    return 0;
}
