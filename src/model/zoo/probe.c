#include "model/zoo/probe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const char PREFIX[] = "probe_";
enum { MOST_ROWS = 1 << 24, MOST_PASSES = 4096 };
#define MOST_ELEMENTS (INT64_C(1) << 30)

typedef enum probe_kind { PROBE_MATMUL, PROBE_STREAM, PROBE_READ, PROBE_CHAIN, PROBE_KINDS } kinds;
static const char *const kind_names[PROBE_KINDS] = {"matmul", "stream", "read", "chain"};

typedef struct probe {
    kinds kind;
    int64_t rows, columns, passes;
} probe;

bool jl_zoo_is_probe(const char *name)
{
    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0;
}

static bool parse_sizes(const char *text, probe *p)
{
    int end = 0;
    bool read = sscanf(text, "%9" SCNd64 "x%9" SCNd64 "x%9" SCNd64 "%n", &p->rows, &p->columns,
                       &p->passes, &end) == 3;
    return read && !text[end] && p->rows > 0 && p->rows <= MOST_ROWS && p->columns > 0 &&
           p->columns <= MOST_ROWS && p->rows * p->columns <= MOST_ELEMENTS && p->passes > 0 &&
           p->passes <= (p->kind == PROBE_READ ? 1 : MOST_PASSES);
}

static int parse(const char *name, probe *p, jl_error *err)
{
    const char *kind = name + sizeof PREFIX - 1;
    for (int k = 0; k < PROBE_KINDS; k++) {
        size_t n = strlen(kind_names[k]);
        p->kind = (kinds)k;
        if (!strncmp(kind, kind_names[k], n) && kind[n] == '_' && parse_sizes(kind + n + 1, p))
            return 0;
    }
    return jl_fail(err, JL_ERR_MISSING,
                   "there is no probe '%s': a name is probe_matmul, probe_stream, probe_read or "
                   "probe_chain with _ROWSxCOLUMNSxPASSES",
                   name);
}

static jl_str sum_of_rows(zoo_builder *b, jl_str y)
{
    y = zb_binary(b, "ReduceSum", "sum", y, zb_int64s(b, 1, (int64_t[]){-1}));
    zb_attr_int(b, "keepdims", 0);
    return y;
}

/* The large tensor is made inside the graph, so that neither the file nor the input is large. */
static jl_str spread(zoo_builder *b, const probe *p)
{
    zoo_param *column = zb_param(b, "column", 2, (int64_t[]){p->rows, 1}, 0, 1);
    return zb_binary(b, "Add", "spread", JL_STR("input"), zb_plain(b, column));
}

static jl_str products(zoo_builder *b, const probe *p, jl_str y)
{
    float keeps_scale = (float)(1 / sqrt((double)p->columns));
    zoo_param *weight =
        zb_param(b, "weight", 2, (int64_t[]){p->columns, p->columns}, 0, keeps_scale);
    jl_str w = zb_plain(b, weight);
    for (int64_t i = 0; i < p->passes; i++)
        y = zb_binary(b, "MatMul", "product", y, w);
    return y;
}

int zoo_probe_build(zoo_builder *b, const char *name, zoo_port *input, zoo_port *output,
                    jl_error *err)
{
    probe p;
    int rc = parse(name, &p, err);
    if (rc) return rc;
    bool spreads = p.kind == PROBE_MATMUL || p.kind == PROBE_STREAM;
    *input = (zoo_port){"input", 3, {0, spreads ? 1 : p.rows, p.columns}};
    *output = (zoo_port){"output", p.kind == PROBE_CHAIN ? 3 : 2, {0, p.rows, p.columns}};
    jl_str y = spreads ? spread(b, &p) : JL_STR("input");
    if (p.kind == PROBE_MATMUL) y = products(b, &p, y);
    for (int64_t i = 0; i < p.passes && p.kind == PROBE_STREAM; i++)
        y = zb_unary(b, "Neg", "negate", y);
    for (int64_t i = 0; i < p.passes && p.kind == PROBE_CHAIN; i++) {
        y = zb_unary(b, "Softmax", "chain", y);
        zb_attr_int(b, "axis", -1);
    }
    if (p.kind != PROBE_CHAIN) sum_of_rows(b, y);
    return 0;
}
