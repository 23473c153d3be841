/* Writes the seeded items of a model as a .npy file, for benchmarks that give the same inputs to
 * other programs: the items that `model quantize` and `model check` make with this seed.
 * usage: seeded_items MODEL.onnx SEED SKIP COUNT FILE.npy */
#include <stdio.h>
#include <stdlib.h>

#include "convert/samples.h"

static int write_items(jl_sample_set *set, const char *path, jl_error *err)
{
    jl_samples s = jl_sample_set_samples(set);
    jl_tensor t;
    if (s.inputs != 1)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the model has %zu inputs", s.inputs);
    FILE *f = fopen(path, "wb");
    if (!f) return jl_fail_errno(err, JL_ERR_IO, "cannot write %s", path);
    int rc = 0;
    for (size_t i = 0; !rc && i < s.count; i++) {
        rc = s.get(s.ctx, i, &t, err);
        if (!rc && t.dtype != JL_FLOAT) rc = jl_fail(err, JL_ERR_UNSUPPORTED, "it is not float");
        if (!rc && i == 0) {
            char shape[128];
            int n = snprintf(shape, sizeof shape, "%zu", s.count);
            for (int k = 1; k < t.rank; k++)
                n += snprintf(shape + n, sizeof shape - (size_t)n, ", %lld", (long long)t.dims[k]);
            char header[119]; /* with the 10 bytes before it a multiple of 64 */
            snprintf(header, sizeof header,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%.60s,), }", shape);
            fprintf(f, "\x93NUMPY%c%c%c%c%-117s\n", 1, 0, 118, 0, header);
        }
        if (!rc) fwrite(t.data, 1, t.size_bytes, f);
    }
    if (fclose(f) && !rc) rc = jl_fail_errno(err, JL_ERR_IO, "cannot write %s", path);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    jl_error err = {0};
    jl_model *model = NULL;
    jl_sample_set *set = NULL;
    jl_sample_source source = {.batch = 1,
                               .seed = strtoull(argv[2], NULL, 10),
                               .skip = strtoull(argv[3], NULL, 10),
                               .count = strtoull(argv[4], NULL, 10)};
    int rc = jl_model_open(argv[1], &model, &err);
    if (!rc) rc = jl_sample_set_open(model, &source, &set, &err);
    if (!rc) rc = write_items(set, argv[5], &err);
    if (rc) fprintf(stderr, "seeded_items: %s\n", err.msg);
    jl_sample_set_close(set);
    jl_model_close(model);
    return rc ? 1 : 0;
}
