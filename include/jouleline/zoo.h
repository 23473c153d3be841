/* The zoo: fifteen image classifiers with torchvision's structure, parameter names and sizes, and
 * seeded weights that need no download and are the same bytes on every machine.
 *
 * Every model takes `input` [B, 3, S, S] float and gives `logits` [B, 1000] float. The weights are
 * random (nothing was learned), but behave like trained ones where measurements need it: batch
 * norm statistics and a centring head bias are committed data, so activations stay near unit
 * scale, half precision holds, and different inputs get different answers.
 *
 * Source of the structures: the torchvision classes of the same names; of the generator:
 * base/rng.h. */
#ifndef JOULELINE_ZOO_H
#define JOULELINE_ZOO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

typedef struct jl_zoo_model {
    const char *name;
    const char *family; /* lightweight, standard or layernorm */
    const char *torch;  /* torchvision's class function, for whoever runs it in PyTorch */
    int image_px;       /* S: height and width of the input */
    const char *about;  /* one line */
} jl_zoo_model;

typedef enum jl_zoo_style {
    JL_ZOO_PLAIN,       /* `--style zoo`: few nodes, every shape that can be a constant is one */
    JL_ZOO_TORCHSCRIPT, /* the habits of torch's exporter: sizes computed in the graph, the
                         * attention scale by Shape, Cast and Sqrt, masks by Cast and Where */
} jl_zoo_style;

typedef struct jl_zoo_options {
    int opset;            /* 13 to 21 */
    int64_t batch;        /* 0: symbolic dimension "batch" */
    bool fold_batch_norm; /* into the convolution before it, where there is one */
    bool decompose;       /* LayerNorm and Gelu as elementary operators in every opset */
    jl_zoo_style style;
    bool plain; /* identity batch norms and a zero head bias instead of the committed data:
                 * what tools/zoo_statistics.py starts from */
    const char
        *weights_path; /* a safetensors state_dict to use instead of the seeded weights, or NULL */
} jl_zoo_options;

enum { JL_ZOO_OPSET_MIN = 13, JL_ZOO_OPSET_MAX = 21, JL_ZOO_OPSET_DEFAULT = 17 };

/* JL_ZOO_OPSET_DEFAULT, a symbolic batch, nothing else asked for. */
jl_zoo_options jl_zoo_defaults(void);

size_t jl_zoo_count(void);
/* i < jl_zoo_count(); the variants with a planted fault (NAME+overflow) come last. */
const jl_zoo_model *jl_zoo_at(size_t i);
/* Also NAME+torchscript, the same model in that style unless the options say otherwise, which is
 * not among those that jl_zoo_at lists. JL_ERR_MISSING with the nearest name when there is no such
 * model. */
int jl_zoo_find(const char *name, const jl_zoo_model **model, jl_error *err);

/* Beside its models the zoo makes probes, graphs of one kind of work in a known amount, under names
 * like probe_matmul_1024x1024x1 (see src/model/zoo/probe.h). jl_zoo_find and jl_zoo_at leave them
 * out; jl_zoo_export, jl_zoo_export_safetensors and jl_model_open take their names. Whether this
 * is such a name, rightly written or not. */
bool jl_zoo_is_probe(const char *name);

/* Learnable parameters (torchvision's count), and elements of batch norm statistics beside them. */
int jl_zoo_parameters(const char *name, int64_t *learnable, int64_t *statistics, jl_error *err);

/* Writes the ONNX file; an existing one is replaced only on success. options may be NULL. */
int jl_zoo_export(const char *name, const jl_zoo_options *options, const char *path, jl_error *err);

/* Writes the state_dict as torchvision names it (float32, and the int64 buffers), in safetensors
 * format. Only weights_path and plain of the options matter. */
int jl_zoo_export_safetensors(const char *name, const jl_zoo_options *options, const char *path,
                              jl_error *err);

#endif
