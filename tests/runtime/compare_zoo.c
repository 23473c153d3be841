/* Two configurations on models of the zoo and the same seeded inputs: cosine of every item and
 * the largest difference, as a share of the largest logit.
 *
 *     compare_zoo BATCH LIMIT CONFIGURATION_A CONFIGURATION_B [MODEL[:ts]...]
 *
 * All models when none is named; `:ts` exports in the style of torch's exporter. Exits 1 when a
 * difference is above LIMIT or a cosine below 1 - LIMIT, or when a configuration cannot run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "jouleline/zoo.h"
#include "session.h"

static int run(const char *configuration, const char *model, const jl_tensor *input, float **logits,
               int64_t *n, jl_error *err)
{
    session s;
    const jl_tensor *out;
    size_t count;
    int rc = session_load(&s, configuration, model, input, 1, 1, err);
    if (rc) return rc;
    rc = s.runtime->infer(s.ctx, err);
    if (!rc) rc = s.runtime->outputs(s.ctx, &out, &count, err);
    if (!rc && count != 1) rc = jl_fail(err, JL_ERR_FORMAT, "%zu outputs", count);
    if (!rc) {
        *n = jl_tensor_elements(out);
        *logits = malloc((size_t)*n * sizeof **logits + 1);
        rc = jl_tensor_floats(out, *logits, err);
    }
    session_close(&s);
    return rc;
}

/* The smallest cosine of an item and the largest difference over the largest value. */
static void compare(const float *a, const float *b, int64_t n, int64_t batch, double *cosine,
                    double *difference)
{
    double most = 0;
    *cosine = 1, *difference = 0;
    for (int64_t item = 0; item < batch; item++) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t i = item * (n / batch); i < (item + 1) * (n / batch); i++) {
            double x = (double)a[i], y = (double)b[i];
            ab += x * y, aa += x * x, bb += y * y;
            most = fmax(most, fabs(x));
            *difference = fmax(*difference, fabs(x - y));
            if (isnan(x) || isnan(y)) *difference = INFINITY;
        }
        *cosine = fmin(*cosine, ab / sqrt(aa * bb));
    }
    *difference /= most;
}

static int check(const char *spec, int64_t batch, double limit, char **configurations)
{
    char name[64], path[] = "/tmp/jl_compare_XXXXXX";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    jl_error err = {0};
    const jl_zoo_model *model;
    jl_zoo_options options = jl_zoo_defaults();
    if (strchr(spec, ':')) options.style = JL_ZOO_TORCHSCRIPT;
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    int rc = jl_zoo_find(name, &model, &err);
    if (!rc) rc = jl_zoo_export(name, &options, path, &err);
    if (rc) goto failed;
    jl_tensor input = {.name = "input",
                       .dtype = JL_FLOAT,
                       .rank = 4,
                       .dims = {batch, 3, model->image_px, model->image_px}};
    int64_t pixels = jl_tensor_elements(&input);
    input.size_bytes = (size_t)pixels * sizeof(float);
    float *x = input.data = malloc(input.size_bytes), *y[2] = {0};
    jl_rng rng = {7};
    for (int64_t i = 0; i < pixels; i++)
        x[i] = (float)(2 * jl_rng_uniform(&rng) - 1);
    int64_t n[2] = {0};
    for (int k = 0; k < 2 && !rc; k++) {
        rc = run(configurations[k], path, &input, &y[k], &n[k], &err);
        if (rc) jl_prefix(&err, "%s", configurations[k]);
    }
    double cosine = 0, difference = INFINITY;
    if (!rc && n[0] == n[1]) compare(y[0], y[1], n[0], batch, &cosine, &difference);
    free(x), free(y[0]), free(y[1]);
    if (rc) goto failed;
    bool good = difference <= limit && cosine >= 1 - limit;
    printf("%-26s cosine %.7f  difference %.1e%s\n", spec, cosine, difference,
           good ? "" : "  FAILED");
    unlink(path);
    return good ? 0 : 1;
failed:
    printf("%-26s FAILED: %s\n", spec, err.msg);
    unlink(path);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: compare_zoo BATCH LIMIT CONFIGURATION CONFIGURATION [MODEL...]\n");
        return 2;
    }
    int64_t batch = atoll(argv[1]);
    double limit = atof(argv[2]);
    int failures = 0;
    session_trust = true; /* a trace is made by the test itself */
    for (int i = 5; i < argc; i++)
        failures += check(argv[i], batch, limit, argv + 3);
    for (size_t i = 0; argc == 5 && i < jl_zoo_count(); i++)
        failures += check(jl_zoo_at(i)->name, batch, limit, argv + 3);
    return failures > 0;
}
