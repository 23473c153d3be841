/* Which probes run where. Each is sized so that a call takes some milliseconds, on two cores of a
 * processor or on a large GPU, so that starting it does not count. */
#include <string.h>

#include "study/plan.h"

enum { AUTO_MODELS = 4 };
/* Strict FP32 is many times slower on a GPU with tensor cores than what they can do. */
#define FP32    (1u << JL_PRECISION_FP32 | 1u << JL_PRECISION_NATIVE)
#define REDUCED (~FP32)
#define ANY     (~0u)

static const struct {
    const char *name;
    unsigned precisions;
    bool on_cpu, on_gpu;
} probes[] = {
    /* arithmetic */
    {"probe_matmul_1024x1024x1", ANY, true, false},
    {"probe_matmul_4096x4096x2", FP32, false, true},
    {"probe_matmul_4096x4096x16", REDUCED, false, true},
    /* memory: far beyond the caches */
    {"probe_read_4096x4096x1", ANY, true, false},
    {"probe_stream_8192x8192x8", ANY, false, true},
    /* dispatch */
    {"probe_chain_1x16x256", ANY, true, true},
    /* arithmetic and memory alike */
    {"probe_matmul_32768x128x1", ANY, true, false},
    {"probe_matmul_262144x128x4", ANY, false, true},
};
enum { PROBES = sizeof probes / sizeof *probes };
_Static_assert((int)PROBES <= (int)JL_PLAN_PROBES, "the plan has room for every probe");

static bool wanted(const jl_plan *p)
{
    return p->spec->probes == JL_PROBES_YES || p->spec->probes == JL_PROBES_ONCE ||
           (p->spec->probes == JL_PROBES_AUTO && p->model_count >= AUTO_MODELS);
}

static bool fits(size_t probe, const jl_configuration *c)
{
    bool cpu = !strcmp(c->provider, "cpu");
    return (cpu ? probes[probe].on_cpu : probes[probe].on_gpu) &&
           (probes[probe].precisions >> c->precision & 1u);
}

static int add_model(jl_plan *p, size_t probe, jl_error *err)
{
    jl_plan_model *m = &p->models[p->model_count];
    *m = (jl_plan_model){.name = probes[probe].name,
                         .zoo = true,
                         .probe = true,
                         .bytes = JL_ABSENT,
                         .parameters = JL_ABSENT,
                         .opset = JL_ABSENT,
                         .batch_count = 1,
                         .batches = jl_arena_alloc(p->arena, sizeof *m->batches)};
    if (!m->batches) return jl_fail(err, JL_ERR_MEMORY, "no memory for the probes");
    m->batches[0].batch = 1;
    p->model_count++;
    p->probe_count++;
    return 0;
}

int jl_plan_add_probes(jl_plan *p, jl_error *err)
{
    if (!wanted(p)) return 0;
    for (size_t i = 0; i < PROBES; i++) {
        size_t model = p->model_count;
        for (size_t k = 0; k < p->configuration_count; k++) {
            if (!fits(i, &p->configurations[k].parsed)) continue;
            int rc = p->model_count == model ? add_model(p, i, err) : 0;
            if (rc) return rc;
            p->cells[p->cell_count++] =
                (jl_plan_cell){.model = model, .configuration = k, .in_flight = 1};
            p->probe_cell_count++;
        }
    }
    return 0;
}

size_t jl_plan_probe_rounds(const jl_plan *p)
{
    return p->spec->probes == JL_PROBES_ONCE ? 1 : JL_PLAN_PROBE_ROUNDS;
}

size_t jl_plan_probe_runs(const jl_plan *p, size_t first, size_t rounds)
{
    size_t with = jl_plan_probe_rounds(p), left = first <= with ? with + 1 - first : 0;
    return p->probe_cell_count * (rounds < left ? rounds : left);
}
